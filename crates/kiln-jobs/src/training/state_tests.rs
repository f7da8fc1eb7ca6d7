//! The state machine, by tables of whole lives and by generated events.

use proptest::prelude::*;

use kiln_agent::report::Cut;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// The terms of a job that asks for nothing.
const PLAIN: Terms = Terms {
    runtime: 86_400_000,
    wait: None,
    pending: None,
    retries: 0,
    spot: false,
};

/// The terms of a spot job that may be tried twice more.
const PATIENT: Terms = Terms {
    wait: Some(86_400_000),
    retries: 2,
    spot: true,
    ..PLAIN
};

fn live(events: &[Event]) -> TrainingState {
    live_under(&PLAIN, events)
}

/// A life from second 1 on, with an event each second.
fn live_under(terms: &Terms, events: &[Event]) -> TrainingState {
    let mut state = TrainingState::new(at(1000));
    for (n, event) in events.iter().enumerate() {
        state.step(event.clone(), at(2000 + 1000 * n as i64), terms);
    }
    state
}

fn placed(hosts: usize) -> Event {
    Event::Placed {
        instances: vec![String::new(); hosts],
        remark: None,
    }
}

fn ended(outcome: Outcome) -> Event {
    host_ended(0, outcome)
}

fn host_ended(host: usize, outcome: Outcome) -> Event {
    Event::Ended(
        host,
        Ending {
            stored: outcome == Outcome::Completed,
            outcome,
        },
    )
}

fn internal() -> Outcome {
    Outcome::Failed(kiln_agent::failure::internal(&"gone"))
}

fn statuses(state: &TrainingState) -> Vec<&'static str> {
    state
        .transitions
        .iter()
        .map(|transition| transition.status.as_str())
        .collect()
}

fn until_training() -> Vec<Event> {
    let stages = [
        Stage::Preparing,
        Stage::Downloading,
        Stage::DownloadingImage,
        Stage::Working,
    ];
    let stages = stages.map(|stage| Event::Stage(0, stage));
    [vec![placed(1)], stages.to_vec()].concat()
}

fn training_then(rest: &[Event]) -> TrainingState {
    live(&[&until_training(), rest].concat())
}

#[test]
fn a_good_life_passes_every_stage() {
    let state = training_then(&[Event::Stage(0, Stage::Uploading), ended(Outcome::Completed)]);
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
    let state = live(&[Event::Waiting, placed(1)]);
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
        state.step(Event::StopRequested, at(9000), &PLAIN),
        Action::Tell
    );
    assert_eq!(state.status, TrainingJobStatus::Stopping);
    for late in [
        Event::Stage(0, Stage::Uploading),
        Event::Stage(0, Stage::Working),
    ] {
        state.step(late, at(9500), &PLAIN);
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
        Event::Stage(0, Stage::Stopping),
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
    let state = training_then(&[Event::Lost(0, "InternalServerError: gone".to_owned())]);
    assert_eq!(state.status, TrainingJobStatus::Failed);
    assert_eq!(
        state.failure_reason.as_deref(),
        Some("InternalServerError: gone")
    );
}

#[test]
fn a_first_host_that_fails_and_waits_for_the_others_makes_them_stop() {
    let mut state = live(&[placed(2)]);
    let failing = |reason: &str| Event::Failing(0, reason.to_owned());
    assert_eq!(state.step(failing("x"), at(9000), &PLAIN), Action::Tell);
    let other = state.orders(1, 1);
    assert_eq!((other.cut, other.proceed), (Some(Cut::Stop), false));
    state.step(host_ended(1, Outcome::Stopped), at(9001), &PLAIN);
    assert!(state.orders(1, 0).proceed && !state.is_terminal());
    let end = host_ended(0, Outcome::Failed("x".to_owned()));
    assert_eq!(state.step(end, at(9002), &PLAIN), Action::Finish);
    assert_eq!(state.failure_reason.as_deref(), Some("x"));
    let mut over = state.clone();
    assert_eq!(
        over.step(failing("late"), at(9003), &PLAIN),
        Action::Nothing
    );
    assert_eq!(over, state);
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

#[test]
fn a_job_of_two_hosts_ends_with_the_second() {
    let both = |stage| [Event::Stage(0, stage), Event::Stage(1, stage)];
    let mut events = vec![placed(2)];
    events.extend(
        [Stage::Downloading, Stage::Working]
            .into_iter()
            .flat_map(both),
    );
    events.push(Event::Stage(1, Stage::Uploading));
    events.push(host_ended(1, Outcome::Completed));
    let state = live(&events);
    assert_eq!(state.secondary(), SecondaryStatus::Training);
    assert_eq!(state.started, Some(at(4000)));
    events.push(Event::Stage(0, Stage::Uploading));
    assert_eq!(live(&events).secondary(), SecondaryStatus::Uploading);
    events.push(host_ended(0, Outcome::Completed));
    let state = live(&events);
    assert_eq!(state.status, TrainingJobStatus::Completed);
    assert!(state.stored);
}

#[test]
fn one_failing_host_fails_the_job_and_stops_the_others() {
    let failed = Outcome::Failed("AlgorithmError: , exit code: 1".to_owned());
    let mut state = live(&[placed(2), Event::Stage(1, Stage::Working)]);
    let step = state.step(host_ended(1, failed), at(9000), &PLAIN);
    assert_eq!(step, Action::Tell);
    assert_eq!(state.status, TrainingJobStatus::InProgress);
    assert_eq!(state.orders(1, 0).cut, Some(Cut::Stop));
    // That the other one stops is not the job's stopping.
    state.step(Event::Stage(0, Stage::Stopping), at(9500), &PLAIN);
    assert_eq!(state.status, TrainingJobStatus::InProgress);
    let step = state.step(host_ended(0, Outcome::Stopped), at(10_000), &PLAIN);
    assert_eq!(step, Action::Finish);
    assert_eq!(state.status, TrainingJobStatus::Failed);
    assert!(state.failure_reason.unwrap().contains("exit code: 1"));
}

#[test]
fn only_failures_of_the_platform_are_retried_and_only_so_often() {
    let attempt = |outcome: Outcome| [until_training(), vec![ended(outcome)]].concat();
    let algorithm = Outcome::Failed("AlgorithmError: , exit code: 1".to_owned());
    let cases = [
        (vec![internal(), Outcome::Completed], "Completed", 2),
        (
            vec![internal(), internal(), Outcome::Completed],
            "Completed",
            3,
        ),
        (vec![internal(), internal(), internal()], "Failed", 3),
        (vec![internal(), algorithm.clone()], "Failed", 2),
        (vec![algorithm], "Failed", 1),
    ];
    for (outcomes, end, attempts) in cases {
        let events: Vec<_> = outcomes.into_iter().flat_map(attempt).collect();
        let state = live_under(&PATIENT, &events);
        assert_eq!((state.status.as_str(), state.attempts), (end, attempts));
    }
}

#[test]
fn a_retry_says_so_and_waits_in_the_queue() {
    let state = live_under(
        &PATIENT,
        &[until_training(), vec![ended(internal())]].concat(),
    );
    assert!(state.is_waiting() && !state.is_terminal());
    assert_eq!(
        statuses(&state)[2..],
        ["Downloading", "Training", "Restarting"]
    );
    // From the first download to the end.
    assert_eq!(state.used, 3000);
    assert_eq!(state.remaining(&PATIENT), PATIENT.runtime - 3000);
}

#[test]
fn a_job_whose_time_is_used_up_is_not_tried_again() {
    let short = Terms {
        runtime: 3000,
        ..PATIENT
    };
    let state = live_under(
        &short,
        &[until_training(), vec![ended(internal())]].concat(),
    );
    assert_eq!(state.secondary(), SecondaryStatus::MaxRuntimeExceeded);
    assert_eq!(state.status, TrainingJobStatus::Stopped);
}

#[test]
fn an_interrupted_job_begins_anew() {
    let interrupted = [
        until_training(),
        vec![Event::Reclaimed, ended(Outcome::Interrupted)],
    ]
    .concat();
    let state = live_under(&PATIENT, &interrupted);
    assert!(state.is_waiting());
    let completed = [
        interrupted.clone(),
        until_training(),
        vec![ended(Outcome::Completed)],
    ];
    let state = live_under(&PATIENT, &completed.concat());
    let attempt = ["Pending", "Downloading", "Training"];
    let expected = [
        &["Starting"],
        &attempt[..],
        &["Interrupted", "Starting"],
        &attempt,
        &["Completed"],
    ];
    assert_eq!(statuses(&state), expected.concat());
    assert_eq!((state.attempts, state.retries), (2, 0));
}

#[test]
fn work_that_ends_well_while_it_is_interrupted_is_done() {
    let rest = [Event::Reclaimed, ended(Outcome::Completed)];
    let state = live_under(&PATIENT, &[&until_training(), &rest[..]].concat());
    assert_eq!(state.status, TrainingJobStatus::Completed);
}

#[test]
fn an_interrupted_job_can_be_stopped_before_and_after_it_gave_way() {
    for given_way in [false, true] {
        let mut events = until_training();
        events.push(Event::Reclaimed);
        if given_way {
            events.push(ended(Outcome::Interrupted));
        }
        events.push(Event::StopRequested);
        events.push(ended(Outcome::Interrupted));
        let state = live_under(&PATIENT, &events);
        assert_eq!(state.secondary(), SecondaryStatus::Stopped, "{given_way}");
    }
}

#[test]
fn limits_on_waiting_stop_a_job() {
    let wait = Terms {
        wait: Some(5000),
        ..PATIENT
    };
    let pending = Terms {
        pending: Some(5000),
        ..PLAIN
    };
    let cases = [
        (wait, vec![], Some(6000), "MaxWaitTimeExceeded"),
        (pending, vec![], Some(6000), "Stopped"),
        (wait, vec![placed(1)], Some(6000), "MaxWaitTimeExceeded"),
        (pending, vec![placed(1)], None, ""),
        (PLAIN, vec![], None, ""),
    ];
    for (terms, events, deadline, end) in cases {
        let mut state = live_under(&terms, &events);
        let known = deadline.map(at);
        assert_eq!(state.deadline(&terms), known);
        assert_eq!(state.step(Event::Tick, at(5999), &terms), Action::Nothing);
        state.step(Event::Tick, at(6000), &terms);
        if deadline.is_none() {
            assert_eq!(state.status, TrainingJobStatus::InProgress);
            continue;
        }
        state.step(ended(Outcome::Stopped), at(7000), &terms);
        assert_eq!(state.status, TrainingJobStatus::Stopped);
        assert_eq!(state.secondary().as_str(), end);
    }
}

#[test]
fn a_job_too_large_for_the_machine_fails_where_it_stands() {
    let state = live(&[
        Event::Waiting,
        Event::Refused("CapacityError: x".to_owned()),
    ]);
    assert_eq!(state.status, TrainingJobStatus::Failed);
    assert_eq!(state.failure_reason.as_deref(), Some("CapacityError: x"));
    assert_eq!(state.started, None);
}

#[test]
fn what_was_made_smaller_is_said() {
    let remark = Some("ml.m5.24xlarge runs with less".to_owned());
    let state = live(&[Event::Placed {
        instances: vec![String::new()],
        remark,
    }]);
    let message = state.transitions[1].status_message.as_deref();
    assert_eq!(
        message,
        Some("Preparing the instances for training (ml.m5.24xlarge runs with less)")
    );
}

#[test]
fn an_instance_of_an_attempt_that_is_over_may_go() {
    let events = [until_training(), vec![ended(internal())], until_training()].concat();
    let state = live_under(&PATIENT, &events);
    assert_eq!(state.orders(1, 0), Attempt::OVER);
    assert_eq!(state.orders(2, 0).cut, None);
}

fn any_event() -> impl Strategy<Value = Event> {
    let stage = prop_oneof![
        Just(Stage::Preparing),
        Just(Stage::Downloading),
        Just(Stage::DownloadingImage),
        Just(Stage::Working),
        Just(Stage::Uploading),
        Just(Stage::Stopping),
    ];
    let outcome = prop_oneof![
        Just(Outcome::Completed),
        Just(Outcome::Stopped),
        Just(Outcome::MaxRuntimeExceeded),
        Just(Outcome::Interrupted),
        Just(Outcome::Failed("x".to_owned())),
        Just(internal()),
    ];
    prop_oneof![
        1 => Just(Event::Waiting),
        2 => (1usize..4).prop_map(placed),
        8 => (0usize..4, stage).prop_map(|(host, stage)| Event::Stage(host, stage)),
        1 => Just(Event::StopRequested),
        1 => Just(Event::Reclaimed),
        1 => Just(Event::Tick),
        4 => (0usize..4, outcome).prop_map(|(host, outcome)| host_ended(host, outcome)),
        1 => (0usize..4).prop_map(|host| Event::Lost(host, "y".to_owned())),
        1 => (0usize..4).prop_map(|host| Event::Failing(host, "z".to_owned())),
    ]
}

proptest! {
    #[test]
    fn transitions_are_contiguous_and_the_end_is_final(
        events in proptest::collection::vec((any_event(), 0i64..5000), 0..40),
        patient in any::<bool>(),
    ) {
        let terms = if patient { PATIENT } else { Terms { wait: Some(3000), ..PLAIN } };
        let mut state = TrainingState::new(at(1000));
        for (event, millis) in events {
            let before = state.clone();
            let action = state.step(event, at(millis), &terms);
            prop_assert_eq!(action == Action::Finish, state.is_terminal() && !before.is_terminal());
            prop_assert_eq!(
                action == Action::Requeue,
                before.attempt.is_some() && state.is_waiting()
            );
            prop_assert!(state.retries <= terms.retries);
            prop_assert!(!(state.is_terminal() && state.attempt.is_some()));
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
