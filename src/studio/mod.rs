//! The studio's own knowledge, without browser or GPU: what a project is, what can be done to it and undone, what an archive of
//! it looks like. The page keeps it in IndexedDB (`web::vault`) and shows it (`ui::studio`).

pub mod advice;
pub mod judge;
pub mod project;

pub use project::{Class, ClassId, Deed, Picture, PictureId, Project, ProjectId, Role, Settings};
