module example.com/onnxhead

go 1.23

require github.com/yalue/onnxruntime_go v1.12.1
