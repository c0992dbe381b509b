//! Code that comes later: the page's wasm in two files.
//!
//! Most visits look at pictures. What they do not need - camera, studio, training, benchmark: *the workshop* - is a wasm of its own,
//! which the page fetches when one of these is opened. Both share memory and function table, so nothing is there twice and nothing
//! crosses a boundary; `wasm_split_cli_support` cuts along the call graph after the build (xtask/src/split.rs).
//!
//! A function made by [`in_workshop!`](in_workshop) is a cut: it, and all that only such functions reach, is in the second file. So
//! the first file must not name such code anywhere else; a `dyn Trait` whose value comes out of a cut is the usual way.

/// Makes an async function of one whose body is in the second file, which the first call fetches. It returns a
/// `Result`, since that can fail with [`Error::Network`](crate::Error::Network). Without the feature `split`, and natively, it is an
/// ordinary function.
macro_rules! in_workshop {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident $(<$life:lifetime>)? ($($arg:ident: $kind:ty),* $(,)?) -> $result:ty $body:block) => {
        $(#[$meta])*
        #[cfg(not(all(feature = "split", target_arch = "wasm32")))]
        $visibility async fn $name $(<$life>)? ($($arg: $kind),*) -> $result $body

        $(#[$meta])*
        #[cfg(all(feature = "split", target_arch = "wasm32"))]
        #[wasm_split_helpers::wasm_split(workshop, fallible)]
        $visibility fn $name $(<$life>)? ($($arg: $kind),*) -> $result $body
    };
}

pub(crate) use in_workshop;

#[cfg(all(feature = "split", target_arch = "wasm32"))]
impl From<wasm_split_helpers::SplitLoaderError> for crate::Error {
    fn from(_: wasm_split_helpers::SplitLoaderError) -> Self {
        Self::Network {
            url: "the page's second part".into(),
            reason: "it is needed for the camera, for teaching and for the benchmark; look whether you are connected, and try \
                     again, or reload the page if it has been updated meanwhile"
                .into(),
        }
    }
}
