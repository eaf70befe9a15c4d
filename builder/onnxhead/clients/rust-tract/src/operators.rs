//! Operators that tract computes otherwise where numbers are large or NaN.

use tract_onnx::Onnx;
use tract_onnx::tract_hir::internal::{
    Datum, DatumType, ElementWiseIntoHir, Tensor, TractResult, bail, element_wise, tract_linalg,
};

element_wise!(sigmoid, Sigmoid, [f32] => |_, values| {
    for value in values {
        *value = sigmoid_of(*value);
    }
    Ok(())
});

element_wise!(softplus, Softplus, [f32] => |_, values| {
    for value in values {
        *value = softplus_of(*value);
    }
    Ok(())
});

/// Puts these operators in place of tract's own.
pub(crate) fn register(onnx: &mut Onnx) {
    let operators = &mut onnx.op_register;
    operators.insert("Sigmoid", |_, _| Ok((sigmoid().into_hir(), Vec::new())));
    operators.insert("Softplus", |_, _| Ok((softplus().into_hir(), Vec::new())));
}

/// 1 / (1 + e^-x): that of NaN is NaN, which tract's loses.
fn sigmoid_of(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 + e^x): finite for every finite x, where tract's is infinite from 89 on.
fn softplus_of(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::{sigmoid_of, softplus_of};

    #[test]
    fn sigmoid_holds_for_large_numbers_and_nan() {
        for (x, expected) in [(-1e4, 0.0), (-1.0, 0.268_941_4), (0.0, 0.5), (1e4, 1.0)] {
            assert!((sigmoid_of(x) - expected).abs() < 1e-7, "{x}");
        }
        assert!(sigmoid_of(f32::NAN).is_nan());
    }

    #[test]
    fn softplus_holds_for_large_numbers_and_nan() {
        for (x, expected) in [
            (-1e4, 0.0),
            (-1.0, 0.313_261_7),
            (1.0, 1.313_261_7),
            (1e4, 1e4),
        ] {
            assert!((softplus_of(x) - expected).abs() < 1e-6, "{x}");
        }
        assert!(softplus_of(f32::NAN).is_nan());
    }
}
