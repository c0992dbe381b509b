//! The studio's own knowledge, without browser or GPU: what a project is, what can be done to it and undone, what an archive of
//! it looks like. The page keeps it in IndexedDB (`web::vault`) and shows it (`ui::studio`).

pub mod advice;
pub mod archive;
pub mod folders;
pub mod judge;
pub mod mirror;
pub mod project;
pub mod shapes;
pub mod usual;

pub use project::{Class, ClassId, Deed, Picture, PictureId, Project, ProjectId, Role, RunId, Settings};

/// A digest of a file, to know it again: FNV-1a with 64 bits, and its length.
pub fn digest(bytes: &[u8]) -> String {
    format!("{:016x}-{}", crate::data::digest(bytes), bytes.len())
}
