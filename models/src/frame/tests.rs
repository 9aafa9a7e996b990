use super::{Centre, Frame};
use crate::scaling::Scaling;

fn frame() -> Frame {
    let scaling = |centre, spread| Scaling { centre, spread };
    let names = ["a", "still", "b"].map(str::to_owned).to_vec();
    let scaling = [scaling(10.0, Some(2.0)), scaling(5.0, None), scaling(0.0, Some(1.0))];
    Frame::from_parts(names, scaling.to_vec()).unwrap()
}

#[test]
fn families_see_spreads_of_the_signals_that_move() {
    let frame = frame();
    let mut centre = frame.centre();
    let residuals = frame.residuals(&mut centre, &[Some(14.0), Some(99.0), None]);
    assert_eq!(residuals, [Some(2.0), None]);
    assert_eq!(frame.value_of(&centre, 0, 2.0), Some((14.0, 2.0)));
}

#[test]
fn residuals_shrink_as_the_centre_follows_and_a_missing_signal_stays_where_it_was() {
    let frame = frame();
    let mut centre = frame.centre();
    frame.residuals(&mut centre, &[Some(14.0), None, None]);
    centre.follow(0.5);
    assert_eq!(centre.at(), [1.0, 0.0]);
    assert_eq!(
        frame.residuals(&mut centre, &[Some(14.0), None, Some(1.0)]),
        [Some(1.0), Some(1.0)]
    );
}

#[test]
fn scalings_and_centres_that_are_no_numbers_are_refused() {
    let spoilt = Scaling { centre: f64::NAN, spread: None };
    assert!(Frame::from_parts(vec!["a".to_owned()], vec![spoilt]).is_err());
    assert!(Frame::from_parts(vec!["a".to_owned()], Vec::new()).is_err());
    assert_eq!(Centre::from_at(vec![f64::INFINITY]), None);
}
