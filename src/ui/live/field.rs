//! The part of a picture that the network sees.

use crate::data::{Geometry, Preset};

/// A rectangle in a picture's own pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its first column; below 0 where bars are added.
    pub left: f64,
    /// Its first row.
    pub top: f64,
    /// Behind its last column.
    pub right: f64,
    /// Behind its last row.
    pub bottom: f64,
    /// Columns of the picture.
    pub width: f64,
    /// Rows of the picture.
    pub height: f64,
}

impl Field {
    /// What a network with this preset sees of a picture of this size. Bars around a picture that is too small are not part
    /// of it.
    pub fn new(preset: &Preset, width: u32, height: u32) -> Self {
        let Geometry { resized, crop, left, top } = preset.geometry(width, height);
        let (width, height) = (f64::from(width), f64::from(height));
        let (per_x, per_y) = (width / f64::from(resized.0.max(1)), height / f64::from(resized.1.max(1)));
        let (left, top) = (f64::from(left) * per_x, f64::from(top) * per_y);
        let (right, bottom) = (left + f64::from(crop.0) * per_x, top + f64::from(crop.1) * per_y);
        Self { left, top, right, bottom, width, height }
    }

    /// The same without what lies outside the picture.
    pub fn inside(self) -> Self {
        let Self { left, top, right, bottom, width, height } = self;
        Self { left: left.max(0.0), top: top.max(0.0), right: right.min(width), bottom: bottom.min(height), ..self }
    }

    /// Whether more than one part in a hundred of the picture is cut off: less is nothing to show.
    pub fn cuts(self) -> bool {
        let inside = self.inside();
        1.0 - (inside.right - inside.left) * (inside.bottom - inside.top) / (self.width * self.height) > 0.01
    }

    /// Left, top, width and height in percent of the picture, as a style.
    pub fn style(self) -> String {
        let across = |value: f64| 100.0 * value / self.width.max(1.0);
        let down = |value: f64| 100.0 * value / self.height.max(1.0);
        format!(
            "left: {:.3}%; top: {:.3}%; width: {:.3}%; height: {:.3}%",
            across(self.left),
            down(self.top),
            across(self.right - self.left),
            down(self.bottom - self.top)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_wide_picture_is_seen() {
        let mut preset = Preset::custom(100, [0.0; 3], [1.0; 3]).unwrap();
        preset.resize = crate::data::Resize::Shorter(100);
        let field = Field::new(&preset, 400, 200);
        assert_eq!([field.left, field.top, field.right, field.bottom], [100.0, 0.0, 300.0, 200.0]);
        assert!(field.cuts());
        assert_eq!(field.style(), "left: 25.000%; top: 0.000%; width: 50.000%; height: 100.000%");
        assert!(!Field::new(&preset, 200, 200).cuts());
    }

    #[test]
    fn bars_around_a_small_picture_lie_outside() {
        let mut preset = Preset::custom(100, [0.0; 3], [1.0; 3]).unwrap();
        preset.resize = crate::data::Resize::Shorter(50);
        let field = Field::new(&preset, 50, 50);
        assert_eq!([field.left, field.right], [-25.0, 75.0]);
        assert_eq!([field.inside().left, field.inside().right], [0.0, 50.0]);
        assert!(!field.cuts());
    }
}
