use super::*;

/// The states that a row of signs leads through, from an interface that is not there.
fn states(signs: &[Sign]) -> Vec<&'static str> {
    let mut state = BusState::default();
    let mut seen = Vec::new();
    for sign in signs {
        let next = state.after(*sign);
        if next != state {
            seen.push(next.label());
        }
        state = next;
    }
    seen
}

#[test]
fn an_interface_that_comes_goes_and_comes_again_passes_through_its_states_in_order() {
    let signs = [
        Sign::Gone,
        Sign::WentDown,
        Sign::Up(None),
        Sign::Frame,
        Sign::WentDown,
        Sign::Up(None),
        Sign::WentDown,
        Sign::Gone,
        Sign::WentDown,
        Sign::Up(None),
    ];
    let wanted = ["down", "active", "down", "active", "down", "absent", "down", "active"];
    assert_eq!(states(&signs), wanted);
}

#[test]
fn error_frames_lead_to_bus_off_and_a_restart_or_a_frame_leads_back() {
    let up = Sign::Up(None);
    let told = Sign::Told;
    let worsening = [
        up,
        told(Confinement::Warning),
        told(Confinement::Passive),
        told(Confinement::BusOff),
        // A virtual interface that is up says nothing of its controller.
        up,
    ];
    let wanted = ["active", "warning", "passive", "bus_off"];
    assert_eq!(states(&worsening), wanted);
    let restarted = [&worsening[..], &[told(Confinement::Active)]].concat();
    assert_eq!(states(&restarted), [&wanted[..], &["active"]].concat());
    let heard = [&worsening[..], &[Sign::Frame]].concat();
    assert_eq!(states(&heard), [&wanted[..], &["active"]].concat());
}

#[test]
fn the_interfaces_own_word_outweighs_what_error_frames_said() {
    let signs = [
        Sign::Up(Some(Confinement::Active)),
        Sign::Told(Confinement::Passive),
        Sign::Up(Some(Confinement::Warning)),
    ];
    assert_eq!(states(&signs), ["active", "passive", "warning"]);
}

#[test]
fn what_still_waits_in_the_queue_wakes_no_interface_that_is_down_or_refused() {
    for sign in [Sign::WentDown, Sign::Gone, Sign::Misset] {
        let state = BusState::Active.after(sign);
        assert_eq!(state.after(Sign::Frame), state);
        assert_eq!(state.after(Sign::Told(Confinement::Active)), state);
    }
}

#[test]
fn a_frame_does_not_talk_a_passive_controller_well() {
    assert_eq!(BusState::Passive.after(Sign::Frame), BusState::Passive);
}
