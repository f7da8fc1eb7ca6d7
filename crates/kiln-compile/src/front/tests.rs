//! Orders as clients send them, and what is said of those that cannot be carried
//! out.

use super::*;
use crate::target::Accelerator;

fn order(framework: &str, device: &str) -> Order {
    Order {
        framework: framework.to_owned(),
        target_device: Some(device.to_owned()),
        ..Order::default()
    }
}

fn with_inputs(order: Order, inputs: &str) -> Order {
    Order {
        data_input_config: Some(inputs.to_owned()),
        ..order
    }
}

fn with_options(order: Order, options: &str) -> Order {
    Order {
        compiler_options: Some(options.to_owned()),
        ..order
    }
}

fn with_version(order: Order, version: &str) -> Order {
    Order {
        framework_version: Some(version.to_owned()),
        ..order
    }
}

fn platform(framework: &str, os: &str, arch: &str, accelerator: Option<&str>) -> Order {
    Order {
        framework: framework.to_owned(),
        target_os: Some(os.to_owned()),
        target_arch: Some(arch.to_owned()),
        target_accelerator: accelerator.map(str::to_owned),
        ..Order::default()
    }
}

#[test]
fn documented_orders_are_taken() {
    let image = "{\"input_1\": [1,3,224,224]}";
    for order in [
        with_inputs(order("KERAS", "ml_c5"), image),
        with_inputs(
            with_version(order("MXNET", "rasp3b"), "1.8"),
            "{'data': [1,3,224,224]}",
        ),
        with_version(order("PYTORCH", "ml_c5"), "2.0"),
        with_options(
            with_inputs(order("PYTORCH", "ml_c5"), "[[1,3,224,224]]"),
            "{'dtype': 'long'}",
        ),
        order("XGBOOST", "ml_c4"),
        order("XGBOOST", "x86_win32"),
        with_inputs(order("TFLITE", "imx8mplus"), "{'input': [1,224,224,3]}"),
        order("DARKNET", "jetson_nano"),
        order("SKLEARN", "ml_m5"),
        order("ONNX", "lambda"),
        with_options(
            platform("TENSORFLOW", "ANDROID", "ARM_EABI", None),
            "{'ANDROID_PLATFORM': 25, 'mattr': ['+neon']}",
        ),
        with_options(
            platform("ONNX", "LINUX", "ARM64", Some("NVIDIA")),
            "{'gpu-code': 'sm_62', 'trt-ver': '6.0.1', 'cuda-ver': '10.0'}",
        ),
        platform("ONNX", "LINUX", "ARM64", Some("MALI")),
        with_options(
            with_inputs(
                order("PYTORCH", "coreml"),
                "[{\"shape\": [[1,3,224,224], [1,3,160,160]], \"default_shape\": [1,3,224,224], \
                 \"type\": \"Image\", \"bias\": [-1,-1,-1], \"scale\": 0.007843137255}]",
            ),
            "{\"class_labels\": \"imagenet_labels_1000.txt\"}",
        ),
    ] {
        let checked = check(&order);
        assert!(checked.is_ok(), "{order:?}: {checked:?}");
    }
}

#[test]
fn impossible_orders_are_refused() {
    let both = Order {
        target_os: Some("LINUX".to_owned()),
        ..order("ONNX", "ml_c5")
    };
    let neither = Order {
        target_device: None,
        ..order("ONNX", "ml_c5")
    };
    for (order, message) in [
        (order("CAFFE", "ml_c5"), "Framework CAFFE is not known"),
        (
            with_version(order("PYTORCH", "ml_c5"), "1.2"),
            "FrameworkVersion 1.2 is not supported for PYTORCH. Supported versions: 1.4 up to the \
             last 2.x",
        ),
        (
            with_version(order("DARKNET", "ml_c5"), "1.0"),
            "FrameworkVersion 1.0 is not supported for DARKNET. Supported versions: none",
        ),
        (
            both,
            "OutputConfig must not have both TargetDevice and TargetPlatform",
        ),
        (
            neither,
            "OutputConfig must have either TargetDevice, or TargetPlatform with Os and Arch",
        ),
        (order("ONNX", "ml_c7"), "TargetDevice ml_c7 is not known"),
        (
            order("PYTORCH", "ml_inf1"),
            "TargetDevice ml_inf1 needs AWS's Neuron compiler, which is not available here. \
             Compile for an instance without the accelerator, such as ml_c5 or ml_g4dn",
        ),
        (
            order("XGBOOST", "coreml"),
            "Framework XGBOOST is not supported for coreml. Models of PYTORCH, TENSORFLOW and KERAS \
             are converted to Core ML",
        ),
        (
            order("ONNX", "x86_win32"),
            "Framework ONNX is not supported for x86_win32. On 32-bit x86 only XGBOOST and \
             SKLEARN models can run",
        ),
        (
            order("MXNET", "ml_c5"),
            "DataInputConfig is required for MXNET, whose models do not tell the shapes of their \
             inputs",
        ),
        (
            with_inputs(order("ONNX", "ml_c5"), "[[1,3]]"),
            "DataInputConfig is not valid: expected a dictionary of input names and shapes but \
             found a list at line 1, column 1",
        ),
        (
            with_inputs(order("ONNX", "ml_c5"), "{'a': [1,3}"),
            "DataInputConfig is not valid JSON: expected ',' or the closing bracket but found '}' \
             at line 1, column 11",
        ),
        (
            with_options(order("ONNX", "ml_c5"), "{'mcpu': 'skylake'"),
            "CompilerOptions is not valid JSON: expected ',' or '}' but found the end at line 1, \
             column 19",
        ),
        (
            with_options(order("ONNX", "ml_c5"), "{'mcpu': 'sky-lake'}"),
            "mcpu 'sky-lake' is not a processor of the architecture X86_64",
        ),
        (
            with_options(order("ONNX", "ml_c5"), "{'dtype': 'long'}"),
            "CompilerOptions 'dtype' is not supported for ONNX models. It goes with PYTORCH",
        ),
        (
            platform("ONNX", "LINUX", "ARM64", Some("NVIDIA")),
            "CompilerOptions must have 'gpu-code', 'trt-ver', 'cuda-ver' for LINUX_ARM64_NVIDIA",
        ),
    ] {
        assert_eq!(check(&order).unwrap_err().to_string(), message);
    }
}

#[test]
fn trees_are_built_for_the_processor() {
    let checked = check(&order("XGBOOST", "ml_g4dn")).unwrap();
    let Plan::Build(build) = checked.target.plan else {
        panic!("ml_g4dn is a machine");
    };
    assert_eq!(build.accelerator, Accelerator::None);
    assert_eq!(checked.target.remarks.len(), 1);
}
