use candle_core::{DType, Device, Tensor};

use super::{Family, finite};

#[test]
fn every_family_is_known_by_its_name() {
    for family in Family::ALL {
        assert_eq!(Family::from_name(family.as_str()), Some(family));
    }
    assert_eq!(Family::from_name("magic"), None);
}

#[test]
fn a_tensor_of_another_type_or_shape_or_with_an_infinity_is_named() {
    let good = Tensor::from_vec(vec![1.0_f32, 2.0], 2, &Device::Cpu).unwrap();
    assert_eq!(finite("x", &good, DType::F32, &[2]), Ok(()));
    for (dtype, shape) in [(DType::F64, vec![2]), (DType::F32, vec![3]), (DType::F32, vec![1, 2])] {
        assert!(finite("x", &good, dtype, &shape).unwrap_err().contains("`x`"));
    }
    let wild = Tensor::from_vec(vec![1.0_f32, f32::INFINITY], 2, &Device::Cpu).unwrap();
    assert!(finite("x", &wild, DType::F32, &[2]).unwrap_err().contains("not finite"));
}
