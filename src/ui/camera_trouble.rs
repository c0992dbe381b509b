//! Why there is no camera, as a sentence with a way on.

use rust_i18n::t;

use crate::web::CameraTrouble;

/// The sentence.
pub fn words(trouble: &CameraTrouble) -> String {
    match trouble {
        CameraTrouble::InsecureContext => t!("camera.insecure"),
        CameraTrouble::Refused => t!("camera.refused"),
        CameraTrouble::NoCamera => t!("camera.none"),
        CameraTrouble::InUse => t!("camera.in_use"),
        CameraTrouble::NoSuchCamera => t!("camera.no_such"),
        CameraTrouble::Unplugged => t!("camera.unplugged"),
        CameraTrouble::Other(words) => t!("camera.other", words = words),
    }
    .into_owned()
}
