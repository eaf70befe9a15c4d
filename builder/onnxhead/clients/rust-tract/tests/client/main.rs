//! The client on the bundle beside it, whatever head that holds.

mod classifying;
mod loading;
mod program;
mod vectors;

use std::fs;
use std::path::{Path, PathBuf};

use onnxhead_client::{Classifier, Error, Label, Link, Prediction, Report, Vectors};
use serde_json::Value;

const _: () = {
    const fn is_shared_between_threads<T: Send + Sync + 'static>() {}
    is_shared_between_threads::<Classifier>();
    is_shared_between_threads::<Prediction>();
    is_shared_between_threads::<Error>();
    is_shared_between_threads::<Label>();
    is_shared_between_threads::<Link>();
    is_shared_between_threads::<Report>();
    is_shared_between_threads::<Vectors>();
};

/// The folder of the bundle.
fn bundle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle")
}

fn classifier() -> Classifier {
    Classifier::load(bundle()).expect("the bundle is as it was shipped")
}

/// A copy of the bundle's files, for one test to change.
fn copy_bundle(test: &str) -> PathBuf {
    let copy = empty_folder(test);
    for entry in fs::read_dir(bundle()).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    copy
}

fn empty_folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn read_json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Changes a JSON file of a bundle.
fn edit(path: impl AsRef<Path>, change: impl FnOnce(&mut Value)) {
    let mut document = read_json(&path);
    change(&mut document);
    fs::write(path, document.to_string()).unwrap();
}
