//! Colours of a heatmap. matplotlib's `inferno`: its lightness grows evenly, so it reads the same with every kind of colour
//! vision and in grey.

/// Nine values of `inferno`, evenly spaced (Smith and van der Walt 2015, CC0).
const INFERNO: [[u8; 3]; 9] = [
    [0, 0, 4],
    [33, 12, 74],
    [87, 16, 110],
    [138, 34, 106],
    [188, 55, 84],
    [228, 90, 49],
    [249, 142, 9],
    [249, 203, 53],
    [252, 255, 164],
];
/// Opacity of nothing and of everything, 0 to 255: the picture stays visible below.
const OPACITY: [f32; 2] = [90.0, 165.0];

/// Red, green, blue and opacity of a value from 0 to 1.
pub fn colour(value: f32) -> [u8; 4] {
    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let place = value * (INFERNO.len() - 1) as f32;
    let below = (place as usize).min(INFERNO.len() - 2);
    let share = place - below as f32;
    let mix = |a: f32, b: f32, share: f32| (a + share * (b - a)).round() as u8;
    let [r, g, b] = [0, 1, 2].map(|c| mix(f32::from(INFERNO[below][c]), f32::from(INFERNO[below + 1][c]), share));
    [r, g, b, mix(OPACITY[0], OPACITY[1], value)]
}

/// The ramp from left to right for a legend, as CSS.
pub fn gradient() -> String {
    let stops: Vec<String> = INFERNO.iter().map(|[r, g, b]| format!("rgb({r} {g} {b})")).collect();
    format!("linear-gradient(90deg, {})", stops.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lightness_grows_all_the_way() {
        // Rec. 709 luma of the ramp's own colours.
        let luma = |i: u8| {
            let [r, g, b, _] = colour(f32::from(i) / 64.0);
            0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b)
        };
        assert!((0..64).all(|i| luma(i + 1) > luma(i)));
    }

    #[test]
    fn no_value_is_out_of_the_ramp() {
        assert_eq!(colour(0.0), [0, 0, 4, 90]);
        assert_eq!(colour(1.0), [252, 255, 164, 165]);
        assert_eq!(colour(7.0), colour(1.0));
        assert_eq!([colour(f32::NAN), colour(-1.0)], [colour(0.0); 2]);
        assert_eq!(gradient().matches("rgb(").count(), 9);
    }
}
