#!/bin/sh
# Resolves every environment anew with `uv` and writes its lock file beside this
# script. Run it to move to newer releases; what is locked is what is installed.
set -eu
cd "$(dirname "$0")"

lock() {
    name=$1
    shift
    printf '%s\n' "$@" |
        uv pip compile --quiet --universal --no-annotate --python-version 3.10 \
            --custom-compile-command 'environments/locks/compile.sh' \
            --output-file "$name.lock" -
}

# What stands in for an image that AWS publishes has the training toolkit.
lock_image() {
    lock "$@" 'sagemaker-training==5.1.4' 'mpi4py==4.1.2'
}

lock_image scikit-learn-1.2 'scikit-learn==1.2.1' 'numpy<1.27' 'pandas<2.2' 'scipy<1.12' joblib
lock_image scikit-learn-1.4 'scikit-learn==1.4.2' 'numpy<1.27' 'pandas<2.3' 'scipy<1.14' joblib
lock_image scikit-learn-1.7 'scikit-learn==1.7.2' 'numpy<2.3' 'pandas<3' 'scipy<1.16' joblib
lock_image xgboost-1.7 'xgboost==1.7.6' 'scikit-learn==1.2.1' 'numpy<1.27' 'pandas<2.2' 'scipy<1.12'
lock_image xgboost-3.0 'xgboost-cpu==3.0.5' 'scikit-learn==1.7.2' 'numpy<2.3' 'pandas<3' 'scipy<1.16'
lock_image pytorch-2.8 'torch==2.8.0' 'torchvision==0.23.0' 'sagemaker-pytorch-training==3.0.0' 'scikit-learn==1.7.2' 'numpy<2.3' 'pandas<3' 'scipy<1.16'

lock compiler 'iree-base-compiler==3.13.0' 'onnxruntime==1.23.2' 'numpy<2.3' 'ziglang==0.17.0'
lock compiler-trees 'ziglang==0.17.0'
lock exporter-sklearn 'scikit-learn==1.7.2' 'numpy<2.3' 'scipy<1.16' joblib
lock exporter-pytorch 'torch==2.8.0' 'torchvision==0.23.0' 'onnx==1.19.1' 'onnxscript==0.7.2' 'onnxruntime==1.23.2' 'numpy<2.3'
lock exporter-coreml 'coremltools==9.0' 'torch==2.8.0' 'torchvision==0.23.0' 'numpy<2.3'

# TensorFlow without code for GPUs is a package of its own, which tf-keras does not know.
without_gpus=$(mktemp)
trap 'rm "$without_gpus"' EXIT
echo 'tensorflow==2.21.0 ; platform_machine != "x86_64"' >"$without_gpus"
UV_OVERRIDE=$without_gpus lock exporter-tensorflow 'tensorflow-cpu==2.21.0 ; platform_machine == "x86_64"' 'tensorflow' 'tf-keras==2.21.0' 'tf2onnx==1.17.0' 'coremltools==9.0' 'onnx==1.19.1' 'onnxruntime==1.23.2' 'numpy<2.3'
