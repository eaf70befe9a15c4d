use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use ort::LoadDynamicError;
use ort::environment::{Environment, EnvironmentBuilder};

use crate::error::{Cause, Error};

const TELEMETRY_SWITCH: &str = "ORT_DISABLE_TELEMETRY";

/// The environment that every classifier runs in: a process can have only one, for its whole life.
///
/// A program that also runs other models with ort makes their sessions in this one.
///
/// # Errors
///
/// [`Error::Runtime`]: libonnxruntime is not found or too old, or the program has made an environment of its own.
pub fn environment() -> Result<Environment, Error> {
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

    let mut current = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*current {
        return Ok(environment.clone());
    }
    let environment = start().map_err(|source| Error::Runtime { source })?;
    Ok(current.insert(environment).clone())
}

fn start() -> Result<Environment, Cause> {
    disable_telemetry();
    Ok(load_library()?.with_telemetry(false).build()?)
}

/// Loads the library that `ORT_DYLIB_PATH` names, else the one that the system finds.
fn load_library() -> Result<EnvironmentBuilder, LoadDynamicError> {
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return ort::init_from(path);
    }
    match ort::init_from(format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}")) {
        Err(LoadDynamicError::Dlopen { .. }) => ort::init_from("libonnxruntime.so.1"),
        found => found,
    }
}

/// Keeps onnxruntime 1.29 and newer from sending usage data, unless the user has decided on it.
///
/// With the runtime's own switch alone it still starts a thread and sends that it was started. Only the variable
/// prevents that, and setting a variable is sound only while no other thread can read it, which Linux can tell.
fn disable_telemetry() {
    let alone = || fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    if env::var_os(TELEMETRY_SWITCH).is_none() && alone() {
        // SAFETY: this thread is the only one of the process.
        #[expect(unsafe_code)]
        unsafe {
            env::set_var(TELEMETRY_SWITCH, "1");
        }
    }
}
