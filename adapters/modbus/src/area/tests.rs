use super::{Address, AddressStyle, Area};

#[test]
fn modicon_numbers_start_at_one_and_protocol_addresses_at_zero() {
    for (text, area, offset) in [
        ("40001", Area::Holding, 0),
        ("30043", Area::Input, 42),
        ("300043", Area::Input, 42),
        ("465536", Area::Holding, 65535),
        ("00001", Area::Coil, 0),
        ("19999", Area::Discrete, 9998),
    ] {
        assert_eq!(Address::parse(text, AddressStyle::Modicon), Ok(Address { area, offset }));
    }
    for text in ["40000", "400000", "465537", "20001", "4001", "4000001", "4x001", "holding:3"] {
        assert!(Address::parse(text, AddressStyle::Modicon).is_err(), "{text}");
    }
}

#[test]
fn every_address_reads_back_from_either_style() {
    for area in Area::ALL {
        for offset in [0, 1, 9998, 9999, 65535] {
            let address = Address { area, offset };
            for style in [AddressStyle::Protocol, AddressStyle::Modicon] {
                assert_eq!(Address::parse(&address.show(style), style), Ok(address));
            }
        }
    }
}

#[test]
fn a_modicon_number_in_protocol_style_is_explained() {
    let (_, remedy) = Address::parse("30043", AddressStyle::Protocol).unwrap_err();
    assert_eq!(remedy, "write \"input:42\", or set address_style = \"modicon\"");
    let (_, remedy) = Address::parse("inptu:3", AddressStyle::Protocol).unwrap_err();
    assert!(remedy.contains("input"), "{remedy}");
}
