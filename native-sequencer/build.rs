//! Compiles the binary again when the page that it holds was built again. Without this a page that is built after the
//! binary, or a file that is new in it, would not be noticed.

use std::path::Path;

const PAGE: &str = "../web-demo/dist";

fn main() {
    let watched = if Path::new(PAGE).exists() { PAGE } else { "../web-demo" };
    println!("cargo::rerun-if-changed={watched}");
}
