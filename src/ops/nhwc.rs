//! Layers in the terms of programs that keep channels last and know no other paddings than TensorFlow's: TensorFlow.js, TensorFlow Lite.
//! As data; `weights::folded` and `weights::tfjs` write the files.

use super::Padding;

/// What a layer is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nhwc {
    /// The network's input.
    Input,
    /// A convolution of the window's sides, in groups of channels.
    Convolution(Window, usize),
    /// A scale and a shift a channel, with this epsilon.
    Normalisation(f32),
    /// `max(x, 0)`.
    Rectifier,
    /// The sum of two values.
    Sum,
    /// The largest of a window; padding counts as zeros where it says so.
    Largest(Window, bool),
    /// The mean of a window, without its padding.
    Mean(Window),
    /// The mean of all pixels.
    GlobalMean,
    /// Every `stride`-th pixel, with this many channels of zeros before and behind.
    Shortcut {
        /// Step in both axes.
        stride: usize,
        /// Channels of zeros in front.
        before: usize,
        /// Channels of the output.
        channels: usize,
    },
    /// All values of a picture side by side: rows, columns, then channels.
    Flatten,
    /// The fully connected layer.
    Dense,
    /// Probabilities.
    Probabilities,
}

/// A square window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Padding.
    pub padding: Padding,
}

/// How a window over an axis is padded there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// TensorFlow's VALID: not at all.
    Valid,
    /// TensorFlow's SAME.
    Same,
    /// By a layer in front, this many cells at top, bottom, left and right; then VALID.
    Cells([usize; 4]),
}

impl Window {
    /// Its border over a picture of `height` by `width`.
    pub fn border(self, height: usize, width: usize) -> Border {
        let same = Window { padding: Padding::Same, ..self };
        match self.cells(height, width) {
            [0, 0, 0, 0] => Border::Valid,
            cells if cells == same.cells(height, width) => Border::Same,
            cells => Border::Cells(cells),
        }
    }

    /// Cells of padding at top, bottom, left and right of a picture of `height` by `width`, as many as a window reaches.
    pub fn cells(self, height: usize, width: usize) -> [usize; 4] {
        let of = |size: usize| {
            let (before, after, output) = self.padding.resolve(size, self.kernel, self.stride);
            let reached = (output.max(1) - 1) * self.stride + self.kernel;
            (before, after.min(reached.saturating_sub(before + size)))
        };
        let ((top, bottom), (left, right)) = (of(height), of(width));
        [top, bottom, left, right]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_tensorflows_where_they_can_be() {
        let window = |kernel, stride, padding| Window { kernel, stride, padding };
        assert_eq!(window(3, 1, Padding::Symmetric).border(7, 9), Border::Same);
        assert_eq!(window(3, 2, Padding::Same).border(8, 8), Border::Same);
        // torchvision's: TensorFlow would pad the end alone.
        assert_eq!(window(3, 2, Padding::Symmetric).border(8, 8), Border::Cells([1, 0, 1, 0]));
        assert_eq!(window(3, 2, Padding::Symmetric).border(7, 7), Border::Same, "an odd size needs both");
        assert_eq!(window(1, 2, Padding::Symmetric).border(8, 8), Border::Valid);
    }
}
