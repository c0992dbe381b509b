//! Changes of colour as one affine map, for augmentation.

/// An affine map of colours: three factors and a constant for each of red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colour(pub(super) [[f64; 4]; 3]);

/// Shares of red, green and blue in grey (ITU-R BT.601), as Pillow and torchvision take them.
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

impl Colour {
    pub(super) const SAME: Self = Self([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);

    /// First `self`, then `next`.
    fn then(self, next: [[f64; 4]; 3]) -> Self {
        Self(next.map(|row| {
            std::array::from_fn(|k| {
                let sum: f64 = (0..3).map(|c| row[c] * self.0[c][k]).sum();
                sum + if k == 3 { row[3] } else { 0.0 }
            })
        }))
    }

    pub(super) fn brightness(self, factor: f64) -> Self {
        Self(self.0.map(|row| row.map(|v| v * factor)))
    }

    /// About the mean grey of a picture whose mean colour was `mean` before all changes.
    pub(super) fn contrast(self, factor: f64, mean: [f64; 3]) -> Self {
        let mean_of = |row: [f64; 4]| (0..3).map(|c| row[c] * mean[c]).sum::<f64>() + row[3];
        let grey: f64 = self.0.iter().zip(LUMA).map(|(row, share)| share * mean_of(*row)).sum();
        let mut contrast = Self::SAME.brightness(factor).0;
        contrast.iter_mut().for_each(|row| row[3] = (1.0 - factor) * grey);
        self.then(contrast)
    }

    pub(super) fn saturation(self, factor: f64) -> Self {
        let row = |r: usize| {
            let cell = |c: usize| if c < 3 { (1.0 - factor) * LUMA[c] + if c == r { factor } else { 0.0 } } else { 0.0 };
            std::array::from_fn(cell)
        };
        self.then(std::array::from_fn(row))
    }

    /// Turns the colour about the axis of greys by a share of the whole circle: a rotation of the chroma plane I, Q of YIQ,
    /// which keeps the grey (torchvision's turn in HSV keeps value and saturation instead, and is not linear).
    pub(super) fn hue(self, turn: f64) -> Self {
        let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
        // To YIQ (FCC 1953), turn, and back; the way back is the inverse of the way there.
        let [y, i, q] = YIQ;
        let turned = [y, std::array::from_fn(|c| cos * i[c] - sin * q[c]), std::array::from_fn(|c| sin * i[c] + cos * q[c])];
        let back = inverse(YIQ);
        let row = |r: usize| {
            let cell = |c: usize| if c < 3 { (0..3).map(|k| back[r][k] * turned[k][c]).sum() } else { 0.0 };
            std::array::from_fn(cell)
        };
        self.then(std::array::from_fn(row))
    }
}

/// Luma and the two chroma axes of a colour; the chroma of a grey is 0.
const YIQ: [[f64; 3]; 3] = [LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]];

/// By cofactors.
fn inverse(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let cofactor = |r: usize, c: usize| {
        let at = |dr: usize, dc: usize| m[(r + dr) % 3][(c + dc) % 3];
        at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)
    };
    let determinant: f64 = (0..3).map(|c| m[0][c] * cofactor(0, c)).sum();
    std::array::from_fn(|r| std::array::from_fn(|c| cofactor(c, r) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_as_defined() {
        let apply = |colour: Colour, rgb: [f64; 3]| colour.0.map(|row| (0..3).map(|c| row[c] * rgb[c]).sum::<f64>() + row[3]);
        let grey = |rgb: [f64; 3]| rgb.iter().zip(LUMA).map(|(v, share)| v * share).sum::<f64>();
        let near = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        let (rgb, mean) = ([200.0, 30.0, 90.0], [90.0, 120.0, 60.0]);
        assert!(near(apply(Colour::SAME.brightness(0.5), rgb), [100.0, 15.0, 45.0]));
        let about = |factor: f64, centre: f64| rgb.map(|v| centre + factor * (v - centre));
        assert!(near(apply(Colour::SAME.contrast(1.5, mean), rgb), about(1.5, grey(mean))));
        assert!(near(apply(Colour::SAME.saturation(0.25), rgb), about(0.25, grey(rgb))));
        // Contrast after brightness goes by the mean of the brightened picture.
        let both = Colour::SAME.brightness(0.5).contrast(0.0, mean);
        assert!(near(apply(both, rgb), [grey(mean) / 2.0; 3]));
        let turned = apply(Colour::SAME.hue(0.3), rgb);
        assert!((grey(turned) - grey(rgb)).abs() < 1e-9 && !near(turned, rgb));
        assert!(near(apply(Colour::SAME.hue(0.3), [77.0; 3]), [77.0; 3]));
        assert!(near(apply(Colour::SAME.hue(0.3).hue(-0.3), rgb), rgb) && near(apply(Colour::SAME.hue(1.0), rgb), rgb));
    }
}
