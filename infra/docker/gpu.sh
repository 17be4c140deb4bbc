#!/bin/sh
# onnxruntime and onnxruntime-gpu install the same folder: keep the second, with the CUDA libraries that it names.
set -eu
case ",$1," in
*,gpu,*)
    pip uninstall -y onnxruntime
    pip install --no-deps --force-reinstall -c constraints.txt onnxruntime-gpu
    pip install -c constraints.txt "onnxruntime-gpu[cuda,cudnn]"
    ;;
esac
