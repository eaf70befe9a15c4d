use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, TensorRef};

use crate::bundle::{self, Head};
use crate::{Error, Rows, runtime};

/// The head's graph in onnxruntime.
#[derive(Debug)]
pub(crate) struct Model {
    session: Mutex<Session>, // ort holds that a session must not run on two threads at once
}

impl Model {
    /// Loads the model at `path`, and compares it with what `head` states.
    pub fn load(path: &Path, head: &Head) -> Result<Self, Error> {
        let environment = runtime::environment()?;
        let open = || -> ort::Result<(Session, Option<String>)> {
            let session = Session::builder(&environment)?
                .with_intra_threads(1)? // a head is small, and callers have threads of their own
                .commit_from_file(path)?;
            let labels = session.metadata()?.custom("onnxhead.labels");
            Ok((session, labels))
        };
        let (session, labels) = open().map_err(|cause| Error::Model {
            path: path.into(),
            source: cause.into(),
        })?;
        head.check_signature(&describe(session.inputs()), &describe(session.outputs()))?;
        head.check_labels(labels)?;
        Ok(Self {
            session: Mutex::new(session),
        })
    }

    /// Runs a batch, and hands logits and probabilities, (rows, classes) each, to `read`.
    pub fn run<T>(
        &self,
        rows: Rows<'_>,
        read: impl FnOnce(&[f32], &[f32]) -> T,
    ) -> Result<T, Error> {
        let run = || -> ort::Result<T> {
            let features = TensorRef::from_array_view(([rows.len(), rows.width()], rows.values()))?;
            // a session keeps nothing between runs, so that a panic leaves nothing broken
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let outputs = session.run(ort::inputs![features])?;
            let (_, logits) = outputs[0].try_extract_tensor()?;
            let (_, probabilities) = outputs[1].try_extract_tensor()?;
            Ok(read(logits, probabilities))
        };
        run().map_err(|cause| Error::Inference {
            rows: rows.len(),
            source: cause.into(),
        })
    }
}

/// One description per input or output, in that of [`bundle::describe`] where it is a float32 matrix.
fn describe(outlets: &[Outlet]) -> Vec<String> {
    let describe = |outlet: &Outlet| {
        let kind = outlet.dtype();
        match (
            kind.tensor_type(),
            kind.tensor_shape().map(|shape| &shape[..]),
        ) {
            (Some(TensorElementType::Float32), Some([-1, columns])) => {
                bundle::describe(outlet.name(), columns)
            }
            _ => format!("{} {kind}", outlet.name()),
        }
    };
    outlets.iter().map(describe).collect()
}
