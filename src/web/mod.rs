//! The browser: files, decoding, fetching, storage. Natively only what the engine needs of it.

#[cfg(target_arch = "wasm32")]
mod alone;
#[cfg(target_arch = "wasm32")]
mod archive;
#[cfg(target_arch = "wasm32")]
mod awake;
#[cfg(target_arch = "wasm32")]
mod bell;
#[cfg(target_arch = "wasm32")]
mod camera;
#[cfg(target_arch = "wasm32")]
mod decode;
#[cfg(target_arch = "wasm32")]
mod device;
#[cfg(target_arch = "wasm32")]
pub mod fetch;
#[cfg(target_arch = "wasm32")]
mod files;
#[cfg(target_arch = "wasm32")]
mod film;
#[cfg(target_arch = "wasm32")]
mod frame;
#[cfg(target_arch = "wasm32")]
pub mod hub;
#[cfg(target_arch = "wasm32")]
mod js;
#[cfg(target_arch = "wasm32")]
mod settings;
#[cfg(target_arch = "wasm32")]
mod source;
#[cfg(target_arch = "wasm32")]
mod specimen;
#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod styles;
#[cfg(target_arch = "wasm32")]
mod tabs;
#[cfg(target_arch = "wasm32")]
mod task;
#[cfg(target_arch = "wasm32")]
mod thumbnail;
#[cfg(target_arch = "wasm32")]
mod update;
#[cfg(target_arch = "wasm32")]
pub mod vault;

#[cfg(target_arch = "wasm32")]
pub use self::{
    alone::{be_counted, is_alone},
    archive::{Archive, ArchiveBuilder, Entry, choose_place, is_archive},
    awake::keep_awake,
    bell::{ask_to_ring, is_hidden, ring},
    camera::{Camera, CameraChoice, CameraInfo, CameraTrouble, CameraWatch, DIGEST_PX, Facing, Still, cameras, frame_comes},
    decode::{decode_bytes, decode_file},
    device::{adapter_name, is_secure, now_ms, webgpu_available},
    fetch::{CancelToken, Progress, fetch_bytes, fetch_whole},
    files::{
        Folders, MAX_FILES, ObjectUrl, blob, files_from_drop, files_from_input, files_from_paste, folders_from_drop,
        folders_from_input, folders_work, is_picture, looks_like_a_picture, object_url, read_blob, read_file, save_blob,
        save_bytes, save_text,
    },
    film::{Film, is_video},
    frame::{FrameBitmap, VideoSource},
    hub::Fetched,
    js::meta,
    settings::{
        copy_text, decimal_comma, languages, query, recall, reload_without_query, remember, remove_element, set_page_language,
    },
    source::{file_of, pixels_of},
    specimen::{Specimen, specimen_of_bytes, specimen_of_file, specimen_of_image},
    styles::add_styles,
    tabs::Tabs,
    task::{sleep, yield_now},
    thumbnail::{THUMBNAIL_PX, thumbnail},
    update::{on_update, reload_newest, use_update},
    vault::{Elder, Quota, Run, Standing, Vault},
};

/// Natively nothing else waits for this thread.
#[cfg(not(target_arch = "wasm32"))]
pub async fn yield_now() {}
