//! Model files kept on this device.
//!
//! They lie in Cache Storage, in pieces of a few MiB with a small JSON manifest each. Why not the origin private file
//! system: its `createWritable` (the only way to write outside a worker) commits a file as a whole when it is closed, so a
//! closed tab would lose everything that had arrived, and Safari has it only since version 26. A piece in Cache Storage is
//! kept from the moment it is written, in every browser that has WebGPU.
//!
//! A piece is named by its offset, and the manifest is written after the piece it mentions. So two tabs that download the
//! same file disturb each other at worst into starting over, never into mixing up bytes.

use crate::sorting;
use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Cache, Response};

use super::js::{get, wait, window, words};

/// Name in Cache Storage; the number changes with the layout.
const CACHE: &str = "reslab-models-1";
/// Keys are addresses of this site that nothing is served from.
const PREFIX: &str = "/.reslab-models/";

/// What is known of a kept file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Where it comes from.
    pub url: String,
    /// ETag or date of the version on the server, by which a resumed download knows it is the same one.
    pub validator: Option<String>,
    /// Bytes of the whole file, where the server said so.
    pub total: Option<u64>,
    /// Offset and length of every piece, in order.
    pub pieces: Vec<(u64, u64)>,
    /// Whether all of it is here.
    pub complete: bool,
}

impl Manifest {
    /// Bytes in the pieces, when they follow each other without a gap.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.pieces.iter().try_fold(0_u64, |end, (offset, length)| if *offset == end { end.checked_add(*length) } else { None })
    }
}

/// The opened cache. Errors are the browser's words.
pub(super) struct Store(Cache);

impl Store {
    /// Opens it; fails where the browser keeps nothing (some private windows, blocked site data).
    pub(super) async fn open() -> Result<Self, String> {
        let open = async {
            let caches = window()?.caches()?;
            wait(caches.open(CACHE)).await?.dyn_into::<Cache>()
        };
        open.await.map(Self).map_err(|e| words(&e))
    }

    /// Names of the files that are complete, in alphabetical order.
    pub(super) async fn complete(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.names().await.unwrap_or_default() {
            if self.manifest(&name).await.is_some_and(|manifest| manifest.complete) {
                names.push(name);
            }
        }
        sorting::sort(&mut names);
        names
    }

    async fn names(&self) -> Result<Vec<String>, JsValue> {
        let keys: Array = wait(self.0.keys()).await?.unchecked_into();
        Ok(keys
            .iter()
            .filter_map(|request| {
                let url = get(&request, "url").as_string()?;
                let (_, path) = url.split_once(PREFIX)?;
                let name = path.strip_suffix("/manifest")?;
                js_sys::decode_uri_component(name).ok().map(String::from)
            })
            .collect())
    }

    /// The manifest of `name`, if there is one that makes sense.
    pub(super) async fn manifest(&self, name: &str) -> Option<Manifest> {
        let bytes = self.get(&manifest_key(name)).await?;
        let manifest: Manifest = serde_json::from_str(str::from_utf8(&bytes).ok()?).ok()?;
        let bytes = manifest.bytes()?;
        (!manifest.complete || manifest.total.is_none_or(|total| total == bytes)).then_some(manifest)
    }

    /// All bytes of the manifest's pieces; `None` when one is missing or has another length.
    pub(super) async fn read(&self, name: &str, manifest: &Manifest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(manifest.bytes()?).ok()?).ok()?;
        for (offset, length) in &manifest.pieces {
            let piece = self.get(&piece_key(name, *offset)).await?;
            if piece.len() as u64 != *length {
                return None;
            }
            bytes.extend_from_slice(&piece);
        }
        Some(bytes)
    }

    /// Writes a piece.
    pub(super) async fn put_piece(&self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), String> {
        self.put(&piece_key(name, offset), bytes).await.map_err(|e| words(&e))
    }

    /// Writes the manifest.
    pub(super) async fn put_manifest(&self, name: &str, manifest: &Manifest) -> Result<(), String> {
        let text = serde_json::to_string(manifest).map_err(|e| e.to_string())?;
        self.put(&manifest_key(name), text.as_bytes()).await.map_err(|e| words(&e))
    }

    /// Forgets a file and all its pieces.
    pub(super) async fn remove(&self, name: &str) -> Result<(), String> {
        let remove = async {
            // The manifest first: pieces without one are no file.
            wait(self.0.delete_with_str(&manifest_key(name))).await?;
            let folder = folder(name);
            let keys: Array = wait(self.0.keys()).await?.unchecked_into();
            for request in keys.iter() {
                if get(&request, "url").as_string().is_some_and(|url| url.contains(&folder)) {
                    wait(self.0.delete_with_request(request.unchecked_ref())).await?;
                }
            }
            Ok::<_, JsValue>(())
        };
        remove.await.map_err(|e| words(&e))
    }

    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let response: Response = wait(self.0.match_with_str(key)).await.ok()?.dyn_into().ok()?;
        let buffer = wait(response.array_buffer().ok()?).await.ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<(), JsValue> {
        let response = Response::new_with_opt_js_u8_array(Some(&Uint8Array::from(bytes)))?;
        wait(self.0.put_with_str(key, &response)).await?;
        Ok(())
    }
}

fn folder(name: &str) -> String {
    format!("{PREFIX}{}/", String::from(js_sys::encode_uri_component(name)))
}

fn manifest_key(name: &str) -> String {
    folder(name) + "manifest"
}

fn piece_key(name: &str, offset: u64) -> String {
    format!("{}{offset}", folder(name))
}
