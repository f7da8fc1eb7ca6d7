//! The state machine, by tables of whole lives and by generated events.

use proptest::prelude::*;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn live(events: &[Event]) -> TrainingState {
    let mut state = TrainingState::new(at(1000));
    for (n, event) in events.iter().enumerate() {
        state.step(event.clone(), at(2000 + 1000 * n as i64));
    }
    state
}

fn ended(outcome: Outcome) -> Event {
    Event::Ended(Ending {
        outcome,
        stored: true,
    })
}

fn statuses(state: &TrainingState) -> Vec<&'static str> {
    state
        .transitions
        .iter()
        .map(|transition| transition.status.as_str())
        .collect()
}

const UNTIL_TRAINING: [Event; 5] = [
    Event::Placed,
    Event::Stage(Stage::Preparing),
    Event::Stage(Stage::Downloading),
    Event::Stage(Stage::DownloadingImage),
    Event::Stage(Stage::Training),
];

fn training_then(rest: &[Event]) -> TrainingState {
    live(&[&UNTIL_TRAINING, rest].concat())
}

#[test]
fn a_good_life_passes_every_stage() {
    let state = training_then(&[Event::Stage(Stage::Uploading), ended(Outcome::Completed)]);
    let expected = [
        "Starting",
        "Pending",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ];
    assert_eq!(statuses(&state), expected);
    assert_eq!(state.status, TrainingJobStatus::Completed);
    assert_eq!(state.started, Some(at(4000)));
    assert_eq!(state.ended, state.transitions[5].end_time);
    assert!(state.stored && state.failure_reason.is_none());
}

#[test]
fn a_message_changes_in_place() {
    let state = live(&[Event::Waiting, Event::Placed]);
    assert_eq!(statuses(&state), ["Starting", "Pending"]);
    let pending = &state.transitions[1];
    assert_eq!(pending.start_time, at(2000));
    assert_eq!(
        pending.status_message.as_deref(),
        Some("Preparing the instances for training")
    );
    assert_eq!(state.modified, at(3000));
}

#[test]
fn a_stop_before_placement_ends_at_once() {
    for before in [vec![], vec![Event::Waiting]] {
        let state = live(&[before, vec![Event::StopRequested]].concat());
        assert_eq!(state.status, TrainingJobStatus::Stopped);
        assert_eq!(state.started, None);
        assert_eq!(
            statuses(&state)[statuses(&state).len() - 2..],
            ["Stopping", "Stopped"]
        );
    }
}

#[test]
fn a_stop_while_training_waits_for_the_instance() {
    let mut state = training_then(&[]);
    assert_eq!(
        state.step(Event::StopRequested, at(9000)),
        Action::TellToStop
    );
    assert_eq!(state.status, TrainingJobStatus::Stopping);
    for late in [
        Event::Stage(Stage::Uploading),
        Event::Stage(Stage::Training),
    ] {
        state.step(late, at(9500));
        assert_eq!(state.secondary(), SecondaryStatus::Stopping);
    }
}

#[test]
fn whatever_happens_while_stopping_the_job_ends_stopped() {
    let failed = Outcome::Failed("AlgorithmError: , exit code: 143".to_owned());
    for outcome in [Outcome::Stopped, Outcome::Completed, failed] {
        let state = training_then(&[Event::StopRequested, ended(outcome)]);
        assert_eq!(state.status, TrainingJobStatus::Stopped);
        assert_eq!(state.failure_reason, None);
    }
}

#[test]
fn a_job_out_of_time_is_stopped_and_says_so() {
    let state = training_then(&[
        Event::Stage(Stage::Stopping),
        ended(Outcome::MaxRuntimeExceeded),
    ]);
    assert_eq!(state.status, TrainingJobStatus::Stopped);
    assert_eq!(
        statuses(&state)[3..],
        ["Training", "Stopping", "MaxRuntimeExceeded"]
    );
}

#[test]
fn a_lost_instance_fails_the_job() {
    let state = training_then(&[Event::Lost("InternalServerError: gone".to_owned())]);
    assert_eq!(state.status, TrainingJobStatus::Failed);
    assert_eq!(
        state.failure_reason.as_deref(),
        Some("InternalServerError: gone")
    );
}

#[test]
fn the_last_value_of_a_metric_stays() {
    let metric = |value| Event::Metric {
        name: "loss".to_owned(),
        value,
    };
    let state = training_then(&[metric(2.0), metric(1.0)]);
    assert_eq!(
        state.metrics["loss"],
        LastMetric {
            value: 1.0,
            at: at(8000)
        }
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    let stage = prop_oneof![
        Just(Stage::Preparing),
        Just(Stage::Downloading),
        Just(Stage::DownloadingImage),
        Just(Stage::Training),
        Just(Stage::Uploading),
        Just(Stage::Stopping),
    ];
    let outcome = prop_oneof![
        Just(Outcome::Completed),
        Just(Outcome::Stopped),
        Just(Outcome::MaxRuntimeExceeded),
        Just(Outcome::Failed("x".to_owned())),
    ];
    prop_oneof![
        1 => Just(Event::Waiting),
        1 => Just(Event::Placed),
        4 => stage.prop_map(Event::Stage),
        1 => Just(Event::StopRequested),
        1 => outcome.prop_map(ended),
        1 => Just(Event::Lost("y".to_owned())),
    ]
}

proptest! {
    #[test]
    fn transitions_are_contiguous_and_the_end_is_final(
        events in proptest::collection::vec((any_event(), 0i64..5000), 0..24),
    ) {
        let mut state = TrainingState::new(at(1000));
        for (event, millis) in events {
            let before = state.clone();
            state.step(event, at(millis));
            if before.is_terminal() {
                prop_assert_eq!(&state, &before);
            }
            for pair in state.transitions.windows(2) {
                prop_assert_eq!(pair[0].end_time, Some(pair[1].start_time));
            }
            let last = state.transitions.last().unwrap();
            prop_assert_eq!(last.end_time.is_some(), state.is_terminal());
            prop_assert_eq!(state.failure_reason.is_some(), state.status == TrainingJobStatus::Failed);
            prop_assert!(state.transitions.iter().all(|t| t.end_time.is_none_or(|end| end >= t.start_time)));
        }
    }
}
