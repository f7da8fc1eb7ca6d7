//! Every documented option, what is said of broken ones, and what goes with what.

use proptest::prelude::*;

use super::*;
use crate::framework::Framework;
use crate::target::Place;

fn read(text: &str) -> Options {
    Options::read(text).unwrap()
}

#[test]
fn documented_options_are_read() {
    let nvidia = read("{'gpu-code': 'sm_72', 'trt-ver': '6.0.1', 'cuda-ver': '10.1'}");
    assert_eq!(nvidia.gpu_code, Some(72));
    assert_eq!(nvidia.tensorrt.as_deref(), Some("6.0.1"));
    assert_eq!(nvidia.cuda.as_deref(), Some("10.1"));

    let jetson = read("{'JETPACK_VERSION': '4.6', 'gpu_code': 'sm_90a', 'cuda-ver': 12.4}");
    assert_eq!(jetson.jetpack.as_deref(), Some("4.6"));
    assert_eq!(jetson.gpu_code, Some(90));
    assert_eq!(jetson.cuda.as_deref(), Some("12.4"));

    let arm = read("{'ANDROID_PLATFORM': 25, 'mattr': ['+neon', '+vfpv4']}");
    assert_eq!(arm.android_platform, Some(25));
    assert_eq!(arm.mattr, ["+neon", "+vfpv4"]);
    assert_eq!(read("{'mattr': '+neon,-d32'}").mattr, ["+neon", "-d32"]);
    let by_text = read("{'ANDROID_PLATFORM': 'android-28'}");
    assert_eq!(by_text.android_platform, Some(28));

    assert_eq!(read(r#"{"dtype" : "float32"}"#).dtype, Some(Dtype::Float32));
    assert_eq!(read("{'DTYPE': 'long'}").dtype, Some(Dtype::Int64));
    let cpu = read("{'mcpu': 'skylake-avx512'}").mcpu;
    assert_eq!(cpu.as_deref(), Some("skylake-avx512"));

    let labels = read(r#"{"class_labels": "imagenet_labels_1000.txt"}"#).class_labels;
    assert_eq!(labels.as_deref(), Some("imagenet_labels_1000.txt"));
    let key = read(r#"{"signature_def_key": "serving_custom"}"#).signature_def_key;
    assert_eq!(key.as_deref(), Some("serving_custom"));
    let outputs = read(r#"{"output_names": ["output_tensor:0"]}"#).output_names;
    assert_eq!(outputs, ["output_tensor:0"]);
    assert_eq!(read("{}"), Options::default());
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, message) in [
        (
            "{'mcpu': 'a'",
            " JSON: expected ',' or '}' but found the end at line 1, column 13",
        ),
        (
            "'--verbose 1'",
            ": expected a dictionary of options but found a string at line 1, column 1",
        ),
        (
            "{'mcp': 'skylake'}",
            ": the option 'mcp' is not known at line 1, column 2",
        ),
        (
            "{'gpu-code': 'sm_72', 'gpu_code': 'sm_75'}",
            ": the option 'gpu_code' is given twice at line 1, column 23",
        ),
        (
            "{'dtype': 'int8'}",
            ": 'dtype' must be 'float', 'float32', 'int64' or 'long' at line 1, column 11",
        ),
        (
            "{'mcpu': '-x'}",
            ": 'mcpu' must be the name of a processor, such as 'skylake-avx512' at line 1, column 10",
        ),
        (
            "{'mattr': ['neon']}",
            ": 'mattr' must be a list of processor features, such as ['+neon'] at line 1, column 11",
        ),
        (
            "{'mattr': ['+neon --help']}",
            ": 'mattr' must be a list of processor features, such as ['+neon'] at line 1, column 11",
        ),
        (
            "{'gpu-code': '72'}",
            ": 'gpu-code' must be the architecture of a GPU, such as 'sm_72' at line 1, column 14",
        ),
        (
            "{'trt-ver': 'x'}",
            ": 'trt-ver' must be a version in x.y.z format, such as '6.0.1' at line 1, column 13",
        ),
        (
            "{'cuda-ver': '10'}",
            ": 'cuda-ver' must be a version in x.y format, such as '10.1' at line 1, column 14",
        ),
        (
            "{'ANDROID_PLATFORM': 20}",
            ": 'ANDROID_PLATFORM' must be an API level from 21 to 29 at line 1, column 22",
        ),
        (
            "{'class_labels': 3}",
            ": 'class_labels' must be the name of a file in the archive at line 1, column 18",
        ),
        (
            "{'output_names': []}",
            ": 'output_names' must be a list of tensor names, such as ['output_tensor:0'] at line 1, column 18",
        ),
    ] {
        let error = Options::read(text).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("CompilerOptions is not valid{message}"),
            "{text}"
        );
    }
}

#[test]
fn options_go_with_frameworks_and_targets() {
    use Framework::{Onnx, Pytorch, Tensorflow};
    let device = |name| Place::of_device(name).unwrap();
    let nvidia = || Place::of_platform("LINUX", "X86_64", Some("NVIDIA")).unwrap();
    let android = || Place::of_platform("ANDROID", "ARM64", None).unwrap();
    let whole = "{'gpu-code': 'sm_75', 'trt-ver': '6.0.1', 'cuda-ver': '10.1'}";
    for (text, framework, place, message) in [
        ("{'dtype': 'long'}", Pytorch, device("ml_c5"), ""),
        (
            "{'dtype': 'long'}",
            Onnx,
            device("ml_c5"),
            "CompilerOptions 'dtype' is not supported for ONNX models. It goes with PYTORCH",
        ),
        (
            "{'signature_def_key': 'a'}",
            Tensorflow,
            device("ml_c5"),
            "",
        ),
        (
            "{'output_names': ['a']}",
            Onnx,
            device("ml_c5"),
            "CompilerOptions 'output_names' is not supported for ONNX models. It goes with TENSORFLOW",
        ),
        ("{'class_labels': 'a'}", Pytorch, device("coreml"), ""),
        (
            "{'class_labels': 'a'}",
            Pytorch,
            device("ml_c5"),
            "CompilerOptions 'class_labels' is not supported for ml_c5. It goes with the TargetDevice coreml",
        ),
        (
            "{'mcpu': 'haswell'}",
            Pytorch,
            device("coreml"),
            "CompilerOptions 'mcpu' is not supported for coreml. It goes with targets that native code is built for",
        ),
        ("{'mcpu': 'haswell'}", Onnx, device("ml_c5"), ""),
        ("{'ANDROID_PLATFORM': 29}", Onnx, android(), ""),
        ("{'ANDROID_PLATFORM': 27}", Onnx, device("qcs605"), ""),
        (
            "{'ANDROID_PLATFORM': 29}",
            Onnx,
            device("ml_c5"),
            "CompilerOptions 'ANDROID_PLATFORM' is not supported for ml_c5. It goes with targets that run Android",
        ),
        (whole, Onnx, nvidia(), ""),
        (whole, Onnx, device("jetson_nano"), ""),
        (
            whole,
            Onnx,
            device("ml_c5"),
            "CompilerOptions 'gpu-code' is not supported for ml_c5. It goes with targets that have an NVIDIA GPU",
        ),
        ("{}", Onnx, device("ml_g4dn"), ""),
        (
            "{}",
            Onnx,
            nvidia(),
            "CompilerOptions must have 'gpu-code', 'trt-ver', 'cuda-ver' for LINUX_X86_64_NVIDIA",
        ),
        ("{'mcpu': 'skylake-avx512'}", Onnx, nvidia(), ""),
        (
            "{'mcpu': 'haswell', 'cuda-ver': '10.1'}",
            Onnx,
            nvidia(),
            "CompilerOptions must have 'gpu-code', 'trt-ver' for LINUX_X86_64_NVIDIA",
        ),
        (
            "{'gpu_code': 'sm_75', 'cuda-ver': '10.1'}",
            Onnx,
            nvidia(),
            "CompilerOptions must have 'trt-ver' for LINUX_X86_64_NVIDIA",
        ),
    ] {
        let checked = read(text).check(framework, &place);
        let said = checked.err().map(|error| error.to_string());
        assert_eq!(said.unwrap_or_default(), message, "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(
        key in "dtype|mcpu|mattr|gpu-code|trt-ver|cuda-ver|ANDROID_PLATFORM|output_names",
        value in "[\\[\\]{}'\",:.0-9a-z_+-]{0,32}",
    ) {
        let _ = Options::read(&format!("{{'{key}': {value}}}"));
        let _ = Options::read(&format!("{{'{key}': '{value}'}}"));
    }
}
