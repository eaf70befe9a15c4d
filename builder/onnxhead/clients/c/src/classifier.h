#ifndef ONNXHEAD_CLASSIFIER_H
#define ONNXHEAD_CLASSIFIER_H

#include "description.h"
#include "session.h"

struct onnxhead_classifier {
    onnxhead_description description;
    onnxhead_session session;
};

#endif
