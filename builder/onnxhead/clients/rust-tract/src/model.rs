use std::path::Path;

use tract_onnx::prelude::*;

use crate::bundle::{self, Head};
use crate::{Error, Rows, operators};

/// The head's graph in tract.
#[derive(Debug)]
pub(crate) struct Model {
    plan: Arc<TypedRunnableModel>,
}

impl Model {
    /// Loads the model at `path`, and compares it with what `head` states.
    pub fn load(path: &Path, head: &Head) -> Result<Self, Error> {
        let open = || -> TractResult<_> {
            let mut onnx = tract_onnx::onnx();
            operators::register(&mut onnx);
            let model = onnx.model_for_path(path)?.into_typed()?;
            let signature = (inputs(&model)?, outputs(&model)?);
            let labels = metadata(&model, "onnxhead.labels")?;
            Ok((model.into_optimized()?.into_runnable()?, signature, labels))
        };
        let (plan, (inputs, outputs), labels) = open().map_err(|cause| Error::Model {
            path: path.into(),
            source: cause.into(),
        })?;
        head.check_signature(&inputs, &outputs)?;
        head.check_labels(labels)?;
        Ok(Self { plan })
    }

    /// Runs a batch, and hands logits and probabilities, (rows, classes) each, to `read`.
    pub fn run<T>(
        &self,
        rows: Rows<'_>,
        read: impl FnOnce(&[f32], &[f32]) -> T,
    ) -> Result<T, Error> {
        let run = || -> TractResult<T> {
            let features = Tensor::from_shape(&[rows.len(), rows.width()], rows.values())?;
            let outputs = self.plan.run(tvec![features.into()])?;
            let logits = outputs[0].try_as_plain_ram()?.as_slice()?;
            let probabilities = outputs[1].try_as_plain_ram()?.as_slice()?;
            Ok(read(logits, probabilities))
        };
        run().map_err(|cause| Error::Inference {
            rows: rows.len(),
            source: cause.into(),
        })
    }
}

fn metadata(model: &TypedModel, key: &str) -> TractResult<Option<String>> {
    let property = model.properties.get(&format!("onnx.metadata_props.{key}"));
    property
        .map(|text| text.try_as_plain_ram()?.to_scalar::<String>().cloned())
        .transpose()
}

fn inputs(model: &TypedModel) -> TractResult<Vec<String>> {
    let describe = |outlet: &OutletId| {
        let name = &model.node(outlet.node).name;
        Ok(describe(name, model.outlet_fact(*outlet)?))
    };
    model.input_outlets()?.iter().map(describe).collect()
}

fn outputs(model: &TypedModel) -> TractResult<Vec<String>> {
    let describe = |outlet: &OutletId| {
        let name = model.outlet_label(*outlet).unwrap_or_default();
        Ok(describe(name, model.outlet_fact(*outlet)?))
    };
    model.output_outlets()?.iter().map(describe).collect()
}

/// A description as [`bundle::describe`] gives it where this is a float32 matrix.
fn describe(name: &str, fact: &TypedFact) -> String {
    match fact.shape.dims() {
        [rows, columns] if fact.datum_type == f32::datum_type() && rows.as_i64().is_none() => {
            bundle::describe(name, columns)
        }
        _ => format!("{name} {fact:?}"),
    }
}
