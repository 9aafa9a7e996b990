use super::*;

const A: Suspect = (1, Offset(7));
const B: Suspect = (1, Offset(8));

fn proven(suspicion: &mut Suspicion, message: Suspect) -> bool {
    (0..ENDS).for_each(|_| suspicion.ended(Some(message), false));
    (0..TRIALS).for_each(|_| suspicion.ended(Some(message), true));
    suspicion.proven() == Some(message)
}

#[test]
fn connections_that_end_over_other_messages_each_time_prove_nothing() {
    let mut suspicion = Suspicion::default();
    for offset in 0..100 {
        suspicion.ended(Some((0, Offset(offset))), false);
        suspicion.ended(None, false);
        assert_eq!((suspicion.on_trial(), suspicion.proven()), (None, None));
    }
}

#[test]
fn a_message_is_proven_by_trials_alone_however_often_it_was_the_oldest() {
    let mut suspicion = Suspicion::default();
    (0..1_000).for_each(|_| suspicion.ended(Some(A), false));
    assert_eq!((suspicion.on_trial(), suspicion.proven()), (Some(A), None));
    for trial in 1..=TRIALS {
        suspicion.ended(Some(A), true);
        assert_eq!(suspicion.proven().is_some(), trial == TRIALS);
    }
}

#[test]
fn a_delivery_of_the_suspect_clears_it_and_that_of_another_does_not() {
    let mut suspicion = Suspicion::default();
    (0..5).for_each(|_| suspicion.ended(Some(A), true));
    suspicion.delivered(B);
    assert_eq!(suspicion.proven(), Some(A));
    suspicion.delivered(A);
    assert_eq!((suspicion.on_trial(), suspicion.proven()), (None, None));
}

#[test]
fn a_broker_that_refuses_everything_costs_eight_messages_until_one_is_delivered() {
    let mut suspicion = Suspicion::default();
    for offset in 0..u64::from(IN_A_ROW_MAX) {
        assert!(proven(&mut suspicion, (1, Offset(offset))), "{offset}");
        suspicion.acquit();
    }
    assert!(!proven(&mut suspicion, A));
    assert!(suspicion.refuses_everything());
    suspicion.delivered(B);
    assert_eq!(suspicion.proven(), Some(A));
}
