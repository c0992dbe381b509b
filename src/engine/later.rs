//! The jobs whose code comes [later](crate::split), each kind in its part: camera frames and maps, training, judging, export, times by
//! layer and benchmark.

use futures_util::future::LocalBoxFuture;

use super::benchmark::Benchmark;
use super::core::Engine;
use super::export::{ExportFormat, Exported};
use super::judge::Judging;
use super::message::Event;
use super::serve::{Job, Left, Reopening, pixels, recover};
use super::train::{EstimateOrder, PreviewOrder, Run, TrainingEvent};
use crate::device::DispatchTime;
use crate::split::in_page_part;
use crate::{Error, Result, train, web};

/// Does a job that is none of looking at pictures: each kind's code is in a part of its own.
pub(super) async fn run(engine: &mut Engine, training: &mut Option<Run>, job: &mut Job, send: &dyn Fn(Event)) -> Result<Left> {
    let some = match job {
        Job::Judge(judging) => judge(engine, judging, send).await?.await?,
        Job::Benchmark(benchmark) => measure(engine, benchmark, send).await?.await?,
        Job::Profile => {
            send(Event::Profiled(profile(engine).await?.await?));
            false
        }
        Job::Export(format) => {
            let Exported { file_name, bytes, recipes } = export(engine, *format).await?;
            send(Event::Exported { file_name, bytes, recipes });
            false
        }
        Job::Frame { .. } | Job::Heatmap { .. } => {
            look(engine, job, send).await?.await?;
            false
        }
        _ => {
            train(engine, training, job, send).await?.await?;
            false
        }
    };
    Ok(if some { Left::Some } else { Left::Nothing })
}

in_page_part! { camera:
    fn look<'a>(engine: &'a mut Engine, job: &'a mut Job, send: &'a dyn Fn(Event)) -> Result<LocalBoxFuture<'a, Result<()>>> {
        Ok(Box::pin(look_now(engine, job, send)))
    }
}

in_page_part! { studio:
    fn judge<'a>(engine: &'a mut Engine, judging: &'a mut Judging, send: &'a dyn Fn(Event)) -> Result<LocalBoxFuture<'a, Result<bool>>> {
        Ok(Box::pin(judging.advance(engine, send)))
    }
}

in_page_part! { benchmark:
    fn measure<'a>(
        engine: &'a mut Engine, benchmark: &'a mut Benchmark, send: &'a dyn Fn(Event),
    ) -> Result<LocalBoxFuture<'a, Result<bool>>> {
        Ok(Box::pin(benchmark.advance(engine, send)))
    }
}

in_page_part! { benchmark:
    fn profile<'a>(engine: &'a mut Engine) -> Result<LocalBoxFuture<'a, Result<Vec<DispatchTime>>>> {
        Ok(Box::pin(engine.profile()))
    }
}

in_page_part! { export:
    fn export<'a>(engine: &'a Engine, format: ExportFormat) -> Result<Exported> {
        engine.export(format)
    }
}

in_page_part! { training:
    fn train<'a>(
        engine: &'a mut Engine, training: &'a mut Option<Run>, job: &'a mut Job, send: &'a dyn Fn(Event),
    ) -> Result<LocalBoxFuture<'a, Result<()>>> {
        Ok(Box::pin(train_now(engine, training, job, send)))
    }
}

in_page_part! { training:
    /// Does a chunk of training, and repeats it with a new device when the old one was lost.
    pub(super) fn advance<'a>(
        engine: &'a mut Engine, run: &'a mut Run, reopening: &'a mut Reopening, send: &'a dyn Fn(Event),
    ) -> Result<LocalBoxFuture<'a, Result<()>>> {
        Ok(Box::pin(go_on(engine, run, reopening, send)))
    }
}

async fn go_on(engine: &mut Engine, run: &mut Run, reopening: &mut Reopening, send: &dyn Fn(Event)) -> Result<()> {
    web::yield_now().await;
    match run.advance(engine, send).await {
        Err(Error::DeviceLost(_)) => {
            // A picture may have met the loss first.
            if engine.context().check().is_err() {
                recover(engine, reopening, send).await?;
            }
            run.recover(engine, send).await
        }
        Ok(()) => {
            reopening.works();
            Ok(())
        }
        outcome => outcome,
    }
}

/// A camera's frame, or where the network looks.
async fn look_now(engine: &mut Engine, job: &mut Job, send: &dyn Fn(Event)) -> Result<()> {
    match job {
        Job::Frame { id, frame, map_of } => {
            let reading = engine.read_frame(frame, *map_of).await?;
            send(Event::Frame { id: *id, reading });
        }
        Job::Heatmap { id, name, image, class, kind } => {
            let heatmap = engine.heatmap(&*pixels(name, image).await?, *class, kind).await?;
            send(Event::Heatmap { id: *id, heatmap });
        }
        // Others are not given here.
        _ => {}
    }
    Ok(())
}

/// What is about training, but for its chunks.
async fn train_now(engine: &mut Engine, training: &mut Option<Run>, job: &mut Job, send: &dyn Fn(Event)) -> Result<()> {
    match job {
        Job::StartTraining(order) => {
            // A lost device is noticed before the order is used up.
            engine.context().check()?;
            if let Some(order) = order.take() {
                // The memory of the run before is needed.
                *training = None;
                *training = Some(Run::start(engine, *order, send).await?);
            }
        }
        Job::ResumeTraining(order) => {
            engine.context().check()?;
            if let Some(order) = order.take() {
                *training = None;
                *training = Some(Run::resume(engine, *order, send).await?);
            }
        }
        Job::StopTraining => {
            if let Some(run) = training {
                run.stop(engine, send).await?;
            }
        }
        Job::ContinueTraining(recipe) => {
            if let Some(run) = training {
                run.go_on(engine, recipe.take(), send).await?;
            }
        }
        Job::TrainedWeights => {
            if let Some(run) = training {
                send(Event::Training(run.weights()?));
            }
        }
        Job::Estimate(order) => {
            let EstimateOrder { number, backbone, recipe, classes, pictures } = &**order;
            let estimate = engine.estimate(backbone, recipe.clone(), *classes, *pictures).await;
            if let Err(error @ Error::DeviceLost(_)) = estimate {
                return Err(error);
            }
            send(Event::Training(TrainingEvent::Estimated { number: *number, estimate }));
        }
        Job::Preview(order) => {
            let PreviewOrder { number, recipe, examples, count } = &**order;
            let (set, preset) = (examples.images(), examples.preset());
            let pictures = train::preview(engine.context(), set, preset, &recipe.augmentation, *count, recipe.seed).await;
            if let Err(error @ Error::DeviceLost(_)) = pictures {
                return Err(error);
            }
            send(Event::Training(TrainingEvent::Previewed { number: *number, pictures }));
        }
        _ => {}
    }
    Ok(())
}
