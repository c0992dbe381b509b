//! Every net against its reference's golden values (`tests/golden/README.md`).

#[path = "common/generator.rs"]
mod generator;

/// Bits written by `tests/golden/generator.py`: first, second and last element.
#[test]
fn the_generator_makes_the_bits_of_its_python_twin() {
    let cases: [(&str, &[usize], [u32; 3]); 5] = [
        ("input", &[2, 3, 64, 64], [0xbf4d_eac2, 0x3e9c_045c, 0xbf6f_6a2e]),
        ("layer1.0.conv1.weight", &[64, 64, 3, 3], [0x3d8e_bd32, 0x3c74_d7ff, 0xbd5a_4c21]),
        ("layer1.0.bn1.weight", &[64], [0x3eb3_cee8, 0x3f32_1662, 0x3efd_6e0a]),
        ("fc.weight", &[10, 64], [0xbbd9_dc40, 0x3e25_10f3, 0xbd2a_811d]),
        ("bn1.running_var", &[64], [0x3f92_3722, 0x3fa4_b456, 0x3fa0_cdce]),
    ];
    for (name, shape, bits) in cases {
        let t = generator::tensor(name, shape);
        let ours = [t[0], t[1], t[t.len() - 1]].map(f32::to_bits);
        assert_eq!(ours, bits, "{name}");
    }
}
