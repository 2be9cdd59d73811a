// One module of all kernels.
#include "adamw.cu"
#include "attention.cu"
#include "heads.cu"
#include "log_prob.cu"
#include "objective.cu"
#include "rows.cu"
#include "swiglu.cu"
