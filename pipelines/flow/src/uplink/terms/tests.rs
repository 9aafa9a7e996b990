use std::time::Duration;

use super::*;

#[test]
fn a_certificate_is_warned_of_once_at_each_threshold_and_again_when_it_is_another() {
    let end = Timestamp::parse("2027-01-31T00:00:00Z").unwrap();
    let term = CertificateTerm { role: "ours", not_after: end };
    let mut warnings = Warnings::default();
    let mut told = Vec::new();
    for hours in (0..24 * 60).rev() {
        let now = end.minus(Duration::from_hours(hours));
        for event in warnings.due("cloud", std::slice::from_ref(&term), now) {
            told.push((event.details["days_left"].as_i64().unwrap(), event.severity));
        }
    }
    let wanted = [29, 13, 6, 2, 0]
        .map(|days| (days, if days < 7 { Severity::Alarm } else { Severity::Advisory }));
    assert_eq!(told, wanted);
    let past = end.plus(Duration::from_hours(1));
    assert_eq!(warnings.due("cloud", std::slice::from_ref(&term), past).len(), 1, "it is over");
    let renewed = CertificateTerm { role: "ours", not_after: end.plus(Duration::from_hours(48)) };
    let event = &warnings.due("cloud", &[renewed], past)[0];
    assert!(event.message.contains("ends on 2027-02-02, in 1 days"), "{}", event.message);
}
