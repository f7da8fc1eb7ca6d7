//! The state machine: what leads where, and what never happens.

use proptest::prelude::*;

use super::*;

const TERMS: Terms = Terms {
    runtime: 900_000,
    pending: Some(60_000),
    word: "compilation",
    patience: 3,
};

type State = SoloState<String>;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn placed() -> Event<String> {
    Event::Placed("i".to_owned())
}

fn ended(outcome: Outcome) -> Event<String> {
    Event::Ended(Ending {
        stored: outcome == Outcome::Completed,
        outcome,
    })
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed(reason.to_owned())
}

fn outcome() -> Event<String> {
    Event::Outcome("abc".to_owned())
}

/// A job to which these happen, a second apart.
fn live(events: &[Event<String>]) -> State {
    let mut state = State::new(at(0));
    for (n, event) in (1..).zip(events) {
        state.step(event.clone(), at(n * 1000), &TERMS);
    }
    state
}

const WORKING: Event<String> = Event::Stage(Stage::Working);

#[test]
fn each_life_ends_as_it_should() {
    let timed_out = "ClientError: TimeOut: The compilation job did not complete within the 900 \
                     seconds of MaxRuntimeInSeconds. Give it more time in StoppingCondition.";
    let stop = Event::StopRequested;
    type Case<'a> = (Vec<Event<String>>, Status, Option<&'a str>);
    let cases: Vec<Case<'_>> = vec![
        (vec![], Status::Starting, None),
        (
            vec![placed(), Event::Stage(Stage::DownloadingImage)],
            Status::Starting,
            None,
        ),
        (vec![placed(), WORKING], Status::InProgress, None),
        (
            vec![placed(), WORKING, outcome(), ended(Outcome::Completed)],
            Status::Completed,
            None,
        ),
        (
            vec![placed(), ended(failed("no archive"))],
            Status::Failed,
            Some("no archive"),
        ),
        (
            vec![placed(), WORKING, ended(Outcome::MaxRuntimeExceeded)],
            Status::Failed,
            Some(timed_out),
        ),
        (
            vec![placed(), Event::Lost("gone".to_owned())],
            Status::Failed,
            Some("gone"),
        ),
        (vec![stop.clone()], Status::Stopped, None),
        (vec![placed(), stop.clone()], Status::Stopping, None),
        (
            vec![placed(), stop.clone(), WORKING],
            Status::Stopping,
            None,
        ),
        (
            vec![placed(), stop.clone(), ended(failed("killed"))],
            Status::Stopped,
            None,
        ),
        (
            vec![placed(), WORKING, stop.clone(), ended(Outcome::Stopped)],
            Status::Stopped,
            None,
        ),
        (
            vec![placed(), stop.clone(), Event::Lost("gone".to_owned())],
            Status::Stopped,
            None,
        ),
        (
            vec![placed(), WORKING, stop, ended(Outcome::MaxRuntimeExceeded)],
            Status::Stopped,
            None,
        ),
    ];
    for (events, status, reason) in cases {
        let state = live(&events);
        assert_eq!(state.status, status, "{events:?}");
        assert_eq!(state.failure_reason.as_deref(), reason, "{events:?}");
    }
}

#[test]
fn times_are_those_of_the_stages() {
    let state = live(&[placed(), WORKING, outcome(), ended(Outcome::Completed)]);
    assert_eq!(state.started, Some(at(2000)));
    assert_eq!(state.ended, Some(at(4000)));
    assert_eq!(state.modified, at(4000));
    assert!(state.stored);
    assert_eq!(live(&[placed(), ended(failed("x"))]).started, None);
}

#[test]
fn who_waits_too_long_is_stopped() {
    let mut state = State::new(at(0));
    assert_eq!(state.deadline(&TERMS), Some(at(60_000)));
    assert_eq!(state.step(Event::Tick, at(59_999), &TERMS), Action::Nothing);
    assert_eq!(state.step(Event::Tick, at(60_000), &TERMS), Action::Finish);
    assert_eq!(
        state.failure_reason.as_deref(),
        Some(
            "The compilation job was stopped, since there was no room for it within the 60 seconds \
             of MaxPendingTimeInSeconds."
        )
    );
    assert_eq!(state.status, Status::Stopped);
    assert_eq!(state.ended, Some(at(60_000)));
    let mut state = live(&[placed()]);
    assert_eq!(state.deadline(&TERMS), None);
    assert_eq!(state.step(Event::Tick, at(90_000), &TERMS), Action::Nothing);
}

#[test]
fn only_the_instance_that_is_on_goes_on() {
    let cut = |state: &State, instance| state.orders(instance).cut;
    let state = live(&[placed(), WORKING]);
    assert_eq!(cut(&state, "i"), None);
    assert_eq!(cut(&state, "j"), Some(Cut::Stop));
    let state = live(&[placed(), WORKING, Event::StopRequested]);
    assert_eq!(cut(&state, "i"), Some(Cut::Stop));
    let state = live(&[placed(), ended(Outcome::Completed)]);
    assert_eq!(cut(&state, "i"), Some(Cut::Stop));
}

#[test]
fn another_agent_goes_on_until_three_in_a_row_get_no_further() {
    let mut state = live(&[placed(), WORKING]);
    let soon = |n: i64| at(10_000 + n);
    for n in 0..3 {
        assert!(state.survives(soon(n), &TERMS), "{n}");
    }
    // To enter the same stage again is to get no further.
    state.step(WORKING, soon(4), &TERMS);
    assert!(!state.clone().survives(soon(5), &TERMS));
    let mut further = state.clone();
    further.step(Event::Stage(Stage::Uploading), soon(6), &TERMS);
    assert!(further.survives(soon(7), &TERMS));
    let mut lasting = state.clone();
    assert!(lasting.survives(at(700_000), &TERMS));
    state.step(Event::StopRequested, soon(8), &TERMS);
    assert!(!state.survives(at(700_000), &TERMS));
}

#[test]
fn what_a_stopping_job_has_stored_is_taken_back() {
    let mut state = live(&[placed(), Event::Stage(Stage::Uploading)]);
    for n in 0..3 {
        assert!(state.survives(at(10_000 + n), &TERMS));
    }
    state.step(Event::StopRequested, at(11_000), &TERMS);
    for n in 0..3 {
        assert!(state.survives(at(12_000 + n), &TERMS));
    }
    assert!(!state.survives(at(13_000), &TERMS));
}

#[test]
fn what_was_stored_is_taken_back_where_too_many_were_lost() {
    let mut state = live(&[placed(), WORKING, Event::Stage(Stage::Uploading)]);
    let soon = |n: i64| at(10_000 + n);
    for n in 0..3 {
        assert!(state.survives(soon(n), &TERMS));
        assert_eq!(state.orders("i").cut, None, "{n}");
    }
    for n in 3..7 {
        let mut last = state.clone();
        assert!(state.survives(soon(n), &TERMS), "{n}");
        assert_eq!(state.orders("i").cut, Some(Cut::Stop));
        assert_eq!(state.status, Status::InProgress);
        last.survives(soon(n), &TERMS);
        last.step(ended(Outcome::Stopped), soon(n), &TERMS);
        let reason = "ServerError: There was an internal server error during the compilation \
                      job. (the agent of the instance is gone)";
        assert_eq!(last.status, Status::Failed);
        assert_eq!(last.failure_reason.as_deref(), Some(reason));
    }
    assert!(!state.clone().survives(soon(8), &TERMS));
    state.step(Event::StopRequested, soon(9), &TERMS);
    state.step(ended(Outcome::Stopped), soon(10), &TERMS);
    assert_eq!(state.status, Status::Stopped);
}

#[test]
fn an_agent_that_could_not_be_started_is_none_that_was_lost() {
    let mut state = live(&[placed(), WORKING]);
    for n in 0..100 {
        assert!(state.survives(at(3000 + n), &TERMS));
        state.was_not_begun();
    }
}

#[test]
fn what_was_written_down_of_compilations_is_read() {
    let stored = r#"{"status": "INPROGRESS", "created": 1.5, "modified": 2, "started": 2,
        "ended": null, "failure_reason": null, "instance": "i", "compiled": "abc",
        "stored": false, "role": null}"#;
    let state: State = serde_json::from_str(stored).unwrap();
    assert_eq!(state.status, Status::InProgress);
    assert_eq!(state.outcome.as_deref(), Some("abc"));
}

fn events() -> impl Strategy<Value = Event<String>> {
    prop_oneof![
        2 => Just(placed()),
        3 => prop_oneof![
            Just(Stage::Preparing),
            Just(Stage::Downloading),
            Just(Stage::Working),
            Just(Stage::Stopping),
            Just(Stage::Uploading),
        ]
        .prop_map(Event::Stage),
        1 => Just(outcome()),
        1 => Just(Event::StopRequested),
        1 => prop_oneof![
            Just(Outcome::Completed),
            Just(Outcome::Stopped),
            Just(Outcome::MaxRuntimeExceeded),
            Just(failed("x")),
        ]
        .prop_map(ended),
        1 => Just(Event::Lost("gone".to_owned())),
        1 => Just(Event::Tick),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_time_goes_on_and_the_end_is_the_end(
        happened in prop::collection::vec((events(), 0i64..100_000), 0..20)
    ) {
        let mut state = State::new(at(0));
        for (event, millis) in happened {
            let before = state.clone();
            let stops = event == Event::StopRequested;
            let action = state.step(event, at(millis), &TERMS);
            prop_assert!(state.modified >= before.modified);
            prop_assert_eq!(action == Action::Finish, state.is_terminal() && !before.is_terminal());
            if before.is_terminal() {
                prop_assert_eq!(&state, &before);
            }
            if before.status == Status::Stopping {
                prop_assert!(matches!(state.status, Status::Stopping | Status::Stopped));
            }
            if stops && !before.is_terminal() {
                prop_assert!(matches!(state.status, Status::Stopping | Status::Stopped));
            }
            match state.status {
                Status::Failed => prop_assert!(state.failure_reason.is_some()),
                // One that waited too long says so.
                Status::Stopped => {}
                _ => prop_assert_eq!(&state.failure_reason, &None),
            }
            let ended = [Status::Completed, Status::Failed, Status::Stopped];
            prop_assert_eq!(state.is_terminal(), ended.contains(&state.status));
            if let (Some(started), Some(ended)) = (state.started, state.ended) {
                prop_assert!(started <= ended);
            }
            let text = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state.clone());
        }
    }
}
