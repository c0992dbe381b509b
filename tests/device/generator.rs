//! Deterministic tensors for golden values: the same bits as `tests/golden/generator.py`, whose table says what each name
//! becomes. Seed: FNV-1a of the name; element i: the upper 24 bits of splitmix64's i-th output, mapped to [-1, 1).

/// FNV-1a of the name, 64 bits.
pub fn seed_of(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// splitmix64's output number `i`, counted from 1.
pub fn splitmix(seed: u64, i: u64) -> u64 {
    let mut z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The tensor called `name`, row-major. Products and sums are single f32 operations, so both sides agree bit by bit.
///
/// # Panics
/// When the name ends in none of the known roles.
pub fn tensor(name: &str, shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let fan_in = shape.iter().skip(1).product::<usize>() as f64;
    let role = name.rsplit('.').next().unwrap_or(name);
    let (offset, scale) = match (role, shape.len()) {
        ("weight", 4) => (0.0, (6.0 / fan_in).sqrt() as f32),
        ("weight", 2) => (0.0, (3.0 / fan_in).sqrt() as f32),
        ("weight", _) if name.starts_with("layer") && name.contains(".bn") => (0.5, 0.2),
        ("weight", _) => (0.75, 0.25),
        ("bias", _) => (0.0, 0.1),
        ("running_mean", _) => (0.0, 0.2),
        ("running_var", _) => (1.0, 0.5),
        ("input", _) => (0.0, 1.0),
        _ => panic!("no rule for the tensor {name} of shape {shape:?}"),
    };
    let seed = seed_of(name);
    (1..=count as u64)
        .map(|i| {
            let k = (splitmix(seed, i) >> 40) as i32 - (1 << 23);
            offset + (k as f32 / (1 << 23) as f32) * scale
        })
        .collect()
}
