//! Code that comes later: the page's wasm in parts.
//!
//! Most visits look at pictures. What they do not need is cut off and fetched when it is used first: `studio`, `camera`, `training`,
//! `benchmark`, `files` (weights and data sets of other programs), `keras`
//! (HDF5), `pictures` (what browsers do not decode) and `export`. All parts share memory and function
//! table, so nothing is there twice and nothing crosses a boundary; `wasm_split_cli_support` cuts along the call graph after the build
//! (xtask/src/split.rs). What two parts need and the first has not is a file that comes with either.
//!
//! A function made by [`in_part!`](in_part) is a cut: it, and all that only such functions reach, is in the part it names. So the first
//! part must not name such code anywhere else; a `dyn Trait` whose value comes out of a cut is the usual way.

/// Makes an async function of one whose body is in the part it names, which the first call fetches. It returns a `Result`, since
/// that can fail with [`Error::Network`](crate::Error::Network). Without the feature `split`, and natively, it is an ordinary function.
///
/// This one is for what the ES module has as well (the readers of weights and pictures); what only the page has is cut by
/// [`in_page_part!`](in_page_part), with the feature `page`: a cut's body is kept whether it is reached or not, and the module would have
/// the page's views.
macro_rules! in_part {
    ($($cut:tt)*) => { crate::split::cut! { "split", $($cut)* } };
}

/// [`in_part!`](in_part) for what the page alone has.
macro_rules! in_page_part {
    ($($cut:tt)*) => { crate::split::cut! { "page", $($cut)* } };
}

macro_rules! cut {
    ($feature:tt, $part:ident: $(#[$meta:meta])* $visibility:vis fn $name:ident $(<$life:lifetime>)? ($($arg:ident: $kind:ty),* $(,)?) -> $result:ty $body:block) => {
        $(#[$meta])*
        #[cfg(not(all(feature = $feature, target_arch = "wasm32")))]
        $visibility async fn $name $(<$life>)? ($($arg: $kind),*) -> $result $body

        $(#[$meta])*
        #[cfg(all(feature = $feature, target_arch = "wasm32"))]
        #[wasm_split_helpers::wasm_split($part, fallible)]
        $visibility fn $name $(<$life>)? ($($arg: $kind),*) -> $result $body
    };
}

pub(crate) use {cut, in_page_part, in_part};

#[cfg(all(feature = "split", target_arch = "wasm32"))]
impl From<wasm_split_helpers::SplitLoaderError> for crate::Error {
    fn from(_: wasm_split_helpers::SplitLoaderError) -> Self {
        Self::Network { url: "a part of this page".into(), reason: crate::error::Fault::NoPart {} }
    }
}
