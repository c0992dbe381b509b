//! What the linker must leave for the cut of the page's wasm and the ES module's (src/split.rs).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let wasm = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32");
    if wasm && std::env::var_os("CARGO_FEATURE_SPLIT").is_some() {
        for program in ["reslab", "reslab-module"] {
            println!("cargo:rustc-link-arg-bin={program}=--emit-relocs");
        }
    }
}
