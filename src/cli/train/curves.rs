//! Loss and accuracy over the epochs as an SVG picture.

use plotters::prelude::*;

use crate::train::{Epoch, RateSearch};
use crate::{Error, Result};

const WIDTH: u32 = 800;
/// Of each of the two charts.
const HEIGHT: u32 = 360;
/// Colours that stay apart for the colour-blind (Okabe and Ito 2008).
const TRAINING: RGBColor = RGBColor(0, 114, 178);
const VALIDATION: RGBColor = RGBColor(213, 94, 0);

/// One line of a chart.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    /// Epoch and value; values that are no numbers are left out.
    points: Vec<(u32, f64)>,
}

/// The picture.
///
/// # Errors
/// [`Error::Usage`] when it cannot be drawn.
pub(super) fn svg(history: &[Epoch]) -> Result<String> {
    let curve = |name, colour, value: &dyn Fn(&Epoch) -> Option<f64>| {
        let point = |epoch: &Epoch| value(epoch).filter(|value| value.is_finite()).map(|value| (epoch.epoch, value));
        Curve { name, colour, points: history.iter().filter_map(point).collect() }
    };
    let losses = [
        curve("training", TRAINING, &|epoch| Some(epoch.train.loss)),
        curve("validation", VALIDATION, &|epoch| Some(epoch.validation?.loss)),
    ];
    let accuracies = [
        curve("training", TRAINING, &|epoch| Some(100.0 * epoch.train.top1)),
        curve("validation", VALIDATION, &|epoch| Some(100.0 * epoch.validation?.top1)),
    ];
    let mut text = String::new();
    draw(&mut text, &losses, &accuracies).map_err(|error| Error::Usage(format!("the curves could not be drawn: {error}")))?;
    Ok(text)
}

/// Smoothed losses over the rates of a search, both axes of the rate's logarithm.
///
/// # Errors
/// [`Error::Usage`] when it cannot be drawn.
pub(super) fn rates(search: &RateSearch) -> Result<String> {
    let mut text = String::new();
    draw_rates(&mut text, search).map_err(|error| Error::Usage(format!("the picture could not be drawn: {error}")))?;
    Ok(text)
}

fn draw_rates(text: &mut String, search: &RateSearch) -> Drawn {
    let root = SVGBackend::with_string(text, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let points = |losses: &[f64]| -> Vec<(f64, f64)> {
        search.rates.iter().map(|rate| rate.log10()).zip(losses.iter().copied()).collect()
    };
    let most = search.smoothed.first().copied().unwrap_or(1.0).max(0.1) * 2.0;
    let ends = (search.rates.first().map_or(-6.0, |rate| rate.log10()), search.rates.last().map_or(0.0, |rate| rate.log10()));
    let mut chart = ChartBuilder::on(&root)
        .caption("Loss by learning rate", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(ends.0..ends.1.max(ends.0 + 0.1), 0.0..most)?;
    chart.configure_mesh().x_desc("log10 of the rate").light_line_style(WHITE).draw()?;
    chart.draw_series(LineSeries::new(points(&search.losses), TRAINING.stroke_width(1)))?;
    chart.draw_series(LineSeries::new(points(&search.smoothed), VALIDATION.stroke_width(2)))?;
    if let Some(rate) = search.suggestion {
        let at = rate.log10();
        chart.draw_series(LineSeries::new([(at, 0.0), (at, most)], BLACK.stroke_width(1)))?;
    }
    root.present()?;
    Ok(())
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw(text: &mut String, losses: &[Curve], accuracies: &[Curve]) -> Drawn {
    let root = SVGBackend::with_string(text, (WIDTH, 2 * HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(HEIGHT);
    let largest = losses.iter().flat_map(|curve| &curve.points).fold(0.0, |most: f64, point| most.max(point.1));
    let top = if largest > 0.0 { 1.05 * largest } else { 1.0 };
    chart(&above, "Loss", losses, top, SeriesLabelPosition::UpperRight)?;
    chart(&below, "Top-1 accuracy (%)", accuracies, 100.0, SeriesLabelPosition::LowerRight)?;
    root.present()?;
    Ok(())
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    curves: &[Curve],
    top: f64,
    legend: SeriesLabelPosition,
) -> Drawn {
    let epochs = curves.iter().flat_map(|curve| &curve.points).map(|point| point.0).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        // A run of one epoch is a point; the axis needs a length.
        .build_cartesian_2d(1..epochs.max(2), 0.0..top)?;
    chart.configure_mesh().x_desc("epoch").light_line_style(WHITE).draw()?;
    for curve in curves.iter().filter(|curve| !curve.points.is_empty()) {
        let style = curve.colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), style).point_size(2))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart.configure_series_labels().position(legend).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Summary;

    #[test]
    fn curves_hold_every_finite_value() {
        let summary = |loss, top1| Summary { images: 10, loss, top1, top5: 1.0, ece: f64::NAN };
        let epoch = |epoch, loss| Epoch {
            epoch,
            step: 1,
            learning_rate: 0.1,
            train: summary(loss, 0.5),
            validation: (epoch > 1).then(|| summary(1.0, 0.25)),
            seconds: 1.0,
        };
        for history in [vec![], vec![epoch(1, 2.0)], vec![epoch(1, 2.0), epoch(2, f64::NAN), epoch(3, 0.0)]] {
            let text = svg(&history).unwrap();
            assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>") && !text.contains("NaN"), "{text}");
            assert_eq!(text.contains("validation"), history.len() > 1, "{text}");
            assert!(text.contains("Loss") && text.contains("epoch"));
        }
    }
}
