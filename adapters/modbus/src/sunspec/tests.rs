mod images;

use super::*;
use crate::cases::documents;
use crate::config::{DeviceConfig, LineConfig, check};
use crate::image::Image;

/// Walks over registers that answer as a device does, and counts the requests.
fn walked(image: &Image, registers_max: u16) -> (Map, usize) {
    let mut walk = Walk::new(registers_max);
    let mut requests = 0;
    while let Some(read) = walk.next() {
        requests += 1;
        assert!(requests < 10_000, "the walk does not end");
        assert!(read.count <= registers_max);
        let answer = image.read(read).map_err(|_| Fault::Exception(2));
        walk.answer(answer.as_deref().map_err(|fault| *fault));
    }
    (walk.finish(), requests)
}

/// Registers that begin at an address.
fn image(start: u16, words: &[u16]) -> Image {
    let mut image = Image { registers_max: 125, ..Image::default() };
    for (offset, word) in words.iter().enumerate() {
        let address = start.wrapping_add(u16::try_from(offset).unwrap());
        image.words.insert((Area::Holding, address), *word);
    }
    image
}

/// Marker, models of zeros with these numbers and lengths, end.
fn chain(models: &[(u16, u16)]) -> Vec<u16> {
    let mut words = MARKER.to_vec();
    for (id, length) in models {
        words.extend([*id, *length]);
        words.extend(std::iter::repeat_n(0, usize::from(*length)));
    }
    words.extend([END, 0]);
    words
}

fn found(map: &Map) -> Vec<(u16, u16, u16)> {
    map.models.iter().map(|model| (model.id, model.address, model.length)).collect()
}

#[test]
fn a_map_is_found_at_each_of_its_three_places() {
    for base in BASES {
        let (map, _) = walked(&image(base, &chain(&[(1, 66), (103, 50)])), 125);
        assert_eq!(map.base, Some(base));
        assert_eq!(found(&map), [(1, base + 2, 66), (103, base + 70, 50)]);
        assert_eq!(map.remarks, [""; 0]);
    }
}

#[test]
fn a_device_without_a_marker_is_asked_three_times_and_has_no_map() {
    let (map, requests) = walked(&image(0, &[1, 2, 3, 4]), 125);
    assert_eq!((map.base, map.models.len(), requests), (None, 0, 3));
    let mut walk = Walk::new(125);
    walk.answer(Err(Fault::Timeout));
    assert_eq!(walk.next(), None, "a silent device is not asked again");
}

#[test]
fn an_unknown_model_is_passed_by_its_length_and_what_follows_is_found() {
    let (map, _) = walked(&image(40_000, &chain(&[(64_999, 300), (203, 105)])), 125);
    assert_eq!(found(&map), [(64_999, 40_002, 300), (203, 40_304, 105)]);
    assert_eq!(map.unknown().collect::<Vec<_>>(), [(64_999, 40_002, 300)]);
    assert!(map.tags().iter().all(|tag| tag.name.starts_with("ac_meter_abcn.")));
}

#[test]
fn a_model_of_length_0_has_its_header_and_the_chain_goes_on() {
    let (map, _) = walked(&image(40_000, &chain(&[(103, 0), (1, 66)])), 125);
    assert_eq!(found(&map), [(103, 40_002, 0), (1, 40_004, 66)]);
    let names: Vec<String> = map.tags().into_iter().map(|tag| tag.name).take(3).collect();
    assert_eq!(names, ["inverter_three_phase.ID", "inverter_three_phase.L", "common.ID"]);
}

#[test]
fn an_end_without_a_length_ends_the_chain() {
    let mut words = chain(&[(1, 65)]);
    words.pop();
    let (map, _) = walked(&image(40_000, &words), 125);
    assert_eq!((map.models.len(), map.remarks.len()), (1, 0));
}

#[test]
fn a_chain_that_breaks_off_keeps_its_models_and_is_told() {
    let mut words = chain(&[(1, 66)]);
    words.truncate(words.len() - 2);
    let (map, _) = walked(&image(40_000, &words), 125);
    assert_eq!(map.models.len(), 1);
    assert!(map.remarks[0].contains("holding:40070 cannot be read"), "{:?}", map.remarks);
}

#[test]
fn a_chain_without_end_is_left_after_the_greatest_number_of_models() {
    let words: Vec<u16> =
        MARKER.into_iter().chain(std::iter::repeat_n([64_999, 0], 20_000).flatten()).collect();
    let (map, requests) = walked(&image(0, &words), 125);
    assert_eq!(map.models.len(), MODELS_MAX);
    assert!(requests < MODELS_MAX + 10, "{requests}");
    assert!(map.remarks[0].contains("more than 256 models"), "{:?}", map.remarks);
}

#[test]
fn a_length_that_leads_behind_the_last_register_ends_the_chain() {
    let (map, _) = walked(&image(50_000, &[MARKER[0], MARKER[1], 64_999, 40_000]), 125);
    assert_eq!(map.models.len(), 1);
    assert!(map.remarks[0].contains("leads behind register 65535"), "{:?}", map.remarks);
}

#[test]
fn a_model_longer_than_a_read_comes_in_pieces_that_cut_no_point() {
    // Model 160: header and 8 registers, then 20 for each of 30 modules.
    let mut words = chain(&[(160, 8 + 30 * 20)]);
    for module in 0..30 {
        words[2 + 10 + module * 20] = u16::try_from(module).unwrap();
    }
    for registers_max in [125, 100, 20, 8] {
        let (map, _) = walked(&image(40_000, &words), registers_max);
        assert_eq!(map.models[0].words.len(), 610, "{registers_max}: {:?}", map.remarks);
        let tags = map.tags();
        let last = tags.iter().find(|tag| tag.name == "mppt.module_30.DCEvt").unwrap();
        assert_eq!(last.address.offset, 40_002 + 610 - 2);
        assert_eq!(last.kind.words(), 2);
        let current = tags.iter().find(|tag| tag.name == "mppt.module_30.DCA").unwrap();
        assert_eq!(current.scale_tag.as_deref(), Some("mppt.DCA_SF"));
    }
}

#[test]
fn groups_counted_by_a_point_stand_as_often_as_it_says() {
    let definition = Definition::of(705).unwrap();
    let count = |name: &str| definition.group.points.iter().position(|p| p.name == name).unwrap();
    let mut words = vec![705, 200];
    words.extend([0; 200]);
    let place = |name: &str| -> usize {
        let before = &definition.group.points[..count(name)];
        before.iter().map(|point| usize::from(point.size)).sum()
    };
    (words[place("NPt")], words[place("NCrv")]) = (4, 3);
    let mut whole = MARKER.to_vec();
    whole.extend(&words);
    whole.extend([END, 0]);
    let (map, _) = walked(&image(0, &whole), 125);
    let names: Vec<String> = map.tags().into_iter().map(|tag| tag.name).collect();
    assert!(names.contains(&"DERVoltVar.Crv_3.Pt_4.V".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("Crv_4") || name.contains("Pt_5")));
}

#[test]
fn a_model_that_refuses_its_registers_has_the_tags_of_its_definition() {
    let mut words = image(40_000, &chain(&[(103, 50), (1, 66)]));
    for address in 40_004..40_054 {
        words.words.remove(&(Area::Holding, address));
    }
    let (map, _) = walked(&words, 125);
    assert_eq!(found(&map), [(103, 40_002, 50), (1, 40_054, 66)]);
    assert!(map.remarks[0].contains("model 103 at holding:40002"), "{:?}", map.remarks);
    assert!(map.tags().iter().any(|tag| tag.name == "inverter_three_phase.EvtVnd4"));
}

#[test]
fn the_images_say_who_they_are() {
    let who = |device: &str| {
        let all = documents("modbus-device-image/1");
        let (_, image) = all.iter().find(|(_, image)| image["device"] == device).unwrap();
        let (map, requests) = walked(&Image::of(image), 100);
        assert!(requests <= 8, "{requests}");
        ["Mn", "Md", "Vr", "SN", "Opt"].map(|point| map.common(point))
    };
    let text = |texts: [&str; 5]| texts.map(|t| (!t.is_empty()).then(|| t.to_owned()));
    let inverter = ["Example Solar", "EX-25K-3P", "2.14.0", "EX2500042", "none"];
    assert_eq!(who("pv-inverter-3ph"), text(inverter));
    assert_eq!(who("grid-meter"), text(["Example Metering", "GM-3", "1.0.9", "GM-000317", ""]));
}

#[test]
fn every_known_model_becomes_tags_that_the_check_accepts() {
    assert!(Definition::known().len() > 90);
    for id in Definition::known() {
        let size = Definition::of(id).unwrap().group.size();
        let length = u16::try_from(size).unwrap() - 2;
        let (map, _) = walked(&image(0, &chain(&[(id, length)])), 125);
        let tags = map.tags();
        assert!(tags.len() >= 2, "model {id}");
        let device = DeviceConfig {
            name: Some("device".to_owned()),
            line: Some("line".to_owned()),
            unit: Some(1),
            tag: tags.iter().map(Tag::to_config).collect(),
            ..DeviceConfig::default()
        };
        let line = LineConfig {
            name: Some("line".to_owned()),
            host: Some("127.0.0.1:502".to_owned()),
            ..LineConfig::default()
        };
        let checked = check(vec![line], vec![device], "site");
        assert!(checked.is_ok(), "model {id}: {checked:?}");
    }
}
