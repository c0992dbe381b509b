//! The figures as Markdown, for an issue or a note. In English, as all tables that leave the page.

use std::fmt::Write;

use crate::engine::{BenchmarkReport, BenchmarkWork, LayerKind};

/// Every network measured so far as a table, and the layers of the one that is shown. `device` and `browser` in people's words.
pub fn table<'a>(
    reports: impl IntoIterator<Item = &'a BenchmarkReport>,
    shown: &BenchmarkReport,
    device: &str,
    browser: &str,
) -> String {
    let software = if shown.adapter.software { " (software adapter)" } else { "" };
    let mut text = format!("## ResLab benchmark\n\nDevice: {device}{software}  \nBrowser: {browser}\n\n");
    text.push_str(
        "| Network | Run | Batch | Image | Numbers | Median ms | Mean ms | Deviation ms | Min ms | Runs | Images/s | GFLOP/s | GPU MB |\n\
         | --- | --- | --: | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for report in reports {
        let (order, times, size) = (&report.order, &report.times, report.order.size);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {size} × {size} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {:.1} | {:.1} | {:.1} |",
            order.arch,
            run(order.work),
            order.batch,
            precision(report),
            times.median,
            times.mean,
            times.deviation,
            times.min,
            times.all.len(),
            report.images_per_second(),
            report.gflops(),
            report.memory.total() as f64 / 1e6,
        );
    }
    if let Ok(layers) = &shown.layers {
        let _ = write!(
            text,
            "\n### Layers of {}, {}, batch {}\n\n| Layer | Kind | Forward ms | Backward ms | GFLOP/s |\n| --- | --- | --: | --: | --: |\n",
            shown.order.arch,
            run(shown.order.work),
            shown.order.batch
        );
        for layer in layers {
            let rate = layer.gflops().map_or_else(String::new, |rate| format!("{rate:.1}"));
            let (name, kind) = (&layer.name, kind(layer.kind));
            let _ = writeln!(text, "| {name} | {kind} | {:.3} | {:.3} | {rate} |", layer.forward_ms, layer.backward_ms);
        }
    }
    text
}

fn run(work: BenchmarkWork) -> &'static str {
    match work {
        BenchmarkWork::Forward => "forward",
        BenchmarkWork::Training => "training step",
    }
}

fn precision(report: &BenchmarkReport) -> String {
    format!("{:?}", report.order.precision).to_lowercase()
}

fn kind(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Conv1x1 => "convolution 1 × 1",
        LayerKind::Conv3x3 => "convolution 3 × 3",
        LayerKind::ConvLarge => "larger convolution",
        LayerKind::Norm => "batch norm",
        LayerKind::Pool => "pooling",
        LayerKind::Elementwise => "ReLU, sum, shortcut",
        LayerKind::Classifier => "classifier",
        LayerKind::Loss => "loss",
        LayerKind::Update => "update",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Adapter, Precision};
    use crate::engine::{BenchmarkOrder, LayerTime, RunTimes};
    use crate::model::training::TrainingMemory;

    fn report() -> BenchmarkReport {
        let order = BenchmarkOrder {
            number: 1,
            arch: "resnet18".into(),
            batch: 4,
            size: 224,
            work: BenchmarkWork::Forward,
            precision: Precision::F16,
            warm_up: 1,
            runs: 3,
        };
        BenchmarkReport {
            order,
            adapter: Adapter { name: "x".into(), backend: "y".into(), software: true },
            parameters: 11_689_512,
            operations: 16e9,
            prepare_ms: 100.0,
            first_ms: 50.0,
            times: RunTimes::of(vec![20.0, 16.0, 18.0]),
            memory: TrainingMemory { parameter_bytes: 23_400_000, activation_bytes: 1_600_000, ..Default::default() },
            dispatches: 30,
            layers: Ok(vec![LayerTime {
                name: "conv1".into(),
                kind: LayerKind::ConvLarge,
                forward_ms: 2.0,
                backward_ms: 0.0,
                multiply_adds: 1_000_000,
            }]),
        }
    }

    #[test]
    fn tables_have_as_many_cells_as_their_heads() {
        let (first, second) = (report(), report());
        let text = table([&first, &second], &second, "a GPU", "a browser");
        let line = "| resnet18 | forward | 4 | 224 × 224 | f16 | 18.00 | 18.00 | 2.00 | 16.00 | 3 | 222.2 | 888.9 | 25.0 |";
        assert_eq!(text.matches(line).count(), 2, "{text}");
        assert!(text.contains("Device: a GPU (software adapter)") && text.contains("Browser: a browser"));
        assert!(text.contains("| conv1 | larger convolution | 2.000 | 0.000 | 1.0 |"));
        let tables = text.split("\n\n").filter(|part| part.starts_with('|'));
        for rows in tables {
            let cells: Vec<usize> = rows.lines().map(|row| row.matches('|').count()).collect();
            assert!(cells.iter().all(|count| *count == cells[0]), "{rows}");
        }
    }

    #[test]
    fn without_a_clock_there_is_no_table_of_layers() {
        let mut one = report();
        one.layers = Err(crate::Error::Usage("no clock".into()));
        assert!(!table([&one], &one, "a", "b").contains("Layers of"));
    }
}
