// Fused attention of packed sequences by cuDNN, behind a C interface; `fused.rs` is the other side.
//
// A call attends `batch` pairs of a run of query rows and a run of key rows. All tensors are token-major bf16,
// [rows, heads, dim], except log-sum-exps, f32 [rows, heads]; where each run begins stands in arrays of offsets in
// values (cuDNN's "ragged offsets"), and how long it is in arrays of lengths, so one plan serves every call whose longest
// runs fit the same buckets. cuDNN and the CUDA runtime are opened when they are first needed.
#define NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
#include <cudnn_frontend.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

namespace fe = cudnn_frontend;
namespace cudnn_frontend {
void *cudnn_dlhandle = nullptr;
}

extern "C" {
// What a plan is made for: `struct Shape` of fused.rs.
struct AttentionShape {
  int64_t batch, q_heads, kv_heads, dim, q_rows, kv_rows;
  int32_t causal, backward, deterministic;
  float scale;
};
// Addresses on the device: `struct Arrays` of fused.rs. The backward writes dq, dk, dv; the forward o and lse.
struct AttentionArrays {
  void *q, *k, *v, *o, *lse, *d_o, *dq, *dk, *dv;
  void *q_lengths, *kv_lengths;
  // Where runs begin, batch + 1 each: in what is read (q, o and d_o; k and v; lse) and in what is written.
  void *q_offsets, *kv_offsets, *lse_offsets, *o_offsets, *lse_out_offsets, *dq_offsets, *dkv_offsets;
  void *workspace;
};
}

namespace {
using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;
using Attributes = fe::graph::Tensor_attributes;
// Identities of the tensors in a graph.
enum Id : int64_t { Q = 1, K, V, O, LSE, D_O, DQ, DK, DV, Q_LENGTHS, KV_LENGTHS, Q_OFFSETS, KV_OFFSETS, LSE_OFFSETS,
                    O_OFFSETS, LSE_OUT_OFFSETS, DQ_OFFSETS, DKV_OFFSETS };

struct Plan {
  std::shared_ptr<fe::graph::Graph> graph;
  int64_t workspace = 0;
};
using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int32_t, int32_t, int32_t, float>;
Key key(const AttentionShape &s) {
  return {s.batch, s.q_heads, s.kv_heads, s.dim, s.q_rows, s.kv_rows, s.causal, s.backward, s.deterministic, s.scale};
}

struct Engine {
  cudnnHandle_t handle = nullptr;
  std::map<Key, Plan> plans;
};

// Runs `f`; what it throws or answers becomes the text at `message`.
template <class F> int guarded(char *message, int64_t size, F f) {
  std::string problem;
  try {
    fe::error_t error = f();
    if (error.is_good()) return 0;
    problem = error.get_message();
  } catch (const std::exception &error) {
    problem = error.what();
  }
  snprintf(message, (size_t)size, "%s", problem.c_str());
  return 1;
}
fe::error_t fine() { return {fe::error_code_t::OK, ""}; }
fe::error_t wrong(const std::string &what) { return {fe::error_code_t::CUDNN_BACKEND_API_FAILED, what}; }

// A graph under construction.
struct Builder {
  const AttentionShape &s;
  // Of a device that is only described; 0: the front end asks the CUDA runtime.
  int32_t architecture = 0, processors = 0;
  std::shared_ptr<fe::graph::Graph> graph = std::make_shared<fe::graph::Graph>();

  Tensor integers(Id id, int64_t count, fe::DataType_t type) {
    return graph->tensor(
        Attributes().set_uid(id).set_dim({count, 1, 1, 1}).set_stride({1, 1, 1, 1}).set_data_type(type));
  }
  Tensor lengths(Id id) { return integers(id, s.batch, fe::DataType_t::INT32); }
  Tensor offsets(Id id) { return integers(id, s.batch + 1, fe::DataType_t::INT64); }
  // [rows, heads, width] as cuDNN counts dimensions: batch, heads, rows, width.
  template <class T> T &shaped(T &t, Id id, int64_t heads, int64_t rows, int64_t width, const Tensor &begin) {
    t.set_uid(id).set_dim({s.batch, heads, rows, width}).set_stride({rows * heads * width, width, heads * width, 1});
    t.set_ragged_offset(begin);
    return t;
  }
  Tensor input(Id id, int64_t heads, int64_t rows, const Tensor &begin) {
    Attributes t;
    return graph->tensor(shaped(t, id, heads, rows, s.dim, begin));
  }
  void output(const Tensor &t, Id id, int64_t heads, int64_t rows, const Tensor &begin) {
    shaped(*t, id, heads, rows, s.dim, begin).set_output(true);
  }

  std::shared_ptr<fe::graph::Graph> build() {
    // Before there are operations, which take it over when they are added.
    if (architecture) graph->set_sm_version(architecture).set_sm_count(processors);
    graph->set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    const Tensor at_q = offsets(Q_OFFSETS), at_kv = offsets(KV_OFFSETS);
    const Tensor q = input(Q, s.q_heads, s.q_rows, at_q);
    const Tensor k = input(K, s.kv_heads, s.kv_rows, at_kv), v = input(V, s.kv_heads, s.kv_rows, at_kv);
    const Tensor q_lengths = lengths(Q_LENGTHS), kv_lengths = lengths(KV_LENGTHS);
    if (s.backward) {
      const Tensor o = input(O, s.q_heads, s.q_rows, at_q), d_o = input(D_O, s.q_heads, s.q_rows, at_q);
      Attributes values;
      const Tensor lse =
          graph->tensor(shaped(values, LSE, s.q_heads, s.q_rows, 1, offsets(LSE_OFFSETS)).set_data_type(fe::DataType_t::FLOAT));
      auto settings = fe::graph::SDPA_backward_attributes();
      settings.set_name("attention_backward").set_attn_scale(s.scale).set_padding_mask(true);
      settings.set_seq_len_q(q_lengths).set_seq_len_kv(kv_lengths).set_deterministic_algorithm(s.deterministic != 0);
      if (s.causal) settings.set_causal_mask(true);
      auto [dq, dk, dv] = graph->sdpa_backward(q, k, v, o, d_o, lse, settings);
      const Tensor at_dkv = offsets(DKV_OFFSETS);
      output(dq, DQ, s.q_heads, s.q_rows, offsets(DQ_OFFSETS));
      output(dk, DK, s.kv_heads, s.kv_rows, at_dkv);
      output(dv, DV, s.kv_heads, s.kv_rows, at_dkv);
    } else {
      auto settings = fe::graph::SDPA_attributes();
      settings.set_name("attention").set_attn_scale(s.scale).set_generate_stats(true).set_padding_mask(true);
      settings.set_seq_len_q(q_lengths).set_seq_len_kv(kv_lengths);
      if (s.causal) settings.set_causal_mask(true);
      auto [o, lse] = graph->sdpa(q, k, v, settings);
      output(o, O, s.q_heads, s.q_rows, offsets(O_OFFSETS));
      shaped(*lse, LSE, s.q_heads, s.q_rows, 1, offsets(LSE_OUT_OFFSETS)).set_output(true).set_data_type(fe::DataType_t::FLOAT);
    }
    return graph;
  }
};

fe::error_t load(const char *library) {
  if (!fe::cudnn_dlhandle) fe::cudnn_dlhandle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  if (!fe::cudnn_dlhandle) return wrong(dlerror());
  // Log-sum-exps with offsets of their own came with this version.
  if (fe::detail::get_backend_version() < 90600) return wrong("cuDNN 9.6 or newer is needed");
  return fine();
}

fe::error_t find(Engine &engine, const AttentionShape &shape, Plan **plan) {
  auto found = engine.plans.find(key(shape));
  if (found == engine.plans.end()) {
    Plan made;
    made.graph = Builder{shape}.build();
    auto error = made.graph->build(engine.handle, {fe::HeurMode_t::A});
    if (error.is_good()) error = made.graph->get_workspace_size(made.workspace);
    if (error.is_bad()) return error;
    found = engine.plans.emplace(key(shape), std::move(made)).first;
  }
  *plan = &found->second;
  return fine();
}
}  // namespace

extern "C" {
// An engine on the current device, or null and a message.
void *attention_open(const char *library, char *message, int64_t size) {
  auto engine = std::make_unique<Engine>();
  const int failed = guarded(message, size, [&] {
    auto error = load(library);
    if (error.is_bad()) return error;
    return fe::detail::create_handle(&engine->handle) == CUDNN_STATUS_SUCCESS ? fine() : wrong("cudnnCreate failed");
  });
  return failed ? nullptr : engine.release();
}

void attention_close(void *engine) {
  auto *own = static_cast<Engine *>(engine);
  own->plans.clear();
  fe::detail::destroy_handle(own->handle);
  delete own;
}

// Makes the plan of a shape where there is none yet; bytes that a call needs to work in.
int attention_prepare(void *engine, const AttentionShape *shape, int64_t *workspace, char *message, int64_t size) {
  return guarded(message, size, [&] {
    Plan *plan = nullptr;
    auto error = find(*static_cast<Engine *>(engine), *shape, &plan);
    if (error.is_good()) *workspace = plan->workspace;
    return error;
  });
}

// Queues a call on `stream`.
int attention_run(void *engine, void *stream, const AttentionShape *shape, const AttentionArrays *a, char *message,
                  int64_t size) {
  return guarded(message, size, [&] {
    auto *own = static_cast<Engine *>(engine);
    Plan *plan = nullptr;
    auto error = find(*own, *shape, &plan);
    if (error.is_bad()) return error;
    if (fe::detail::set_stream(own->handle, static_cast<cudaStream_t>(stream)) != CUDNN_STATUS_SUCCESS)
      return wrong("cudnnSetStream failed");
    std::unordered_map<int64_t, void *> arrays{{Q, a->q}, {K, a->k}, {V, a->v}, {O, a->o}, {LSE, a->lse},
                                               {Q_LENGTHS, a->q_lengths}, {KV_LENGTHS, a->kv_lengths},
                                               {Q_OFFSETS, a->q_offsets}, {KV_OFFSETS, a->kv_offsets}};
    if (shape->backward) {
      arrays.insert({{D_O, a->d_o}, {DQ, a->dq}, {DK, a->dk}, {DV, a->dv}, {LSE_OFFSETS, a->lse_offsets},
                     {DQ_OFFSETS, a->dq_offsets}, {DKV_OFFSETS, a->dkv_offsets}});
    } else {
      arrays.insert({{O_OFFSETS, a->o_offsets}, {LSE_OUT_OFFSETS, a->lse_out_offsets}});
    }
    return plan->graph->execute(own->handle, arrays, a->workspace);
  });
}

// Compiles the plan of a shape for a device that is only described (cuDNN's serialised DeviceProperties, as JSON), of this
// architecture (90 is Hopper) and number of multiprocessors.
int attention_compile(const char *library, const char *device, int32_t architecture, int32_t processors,
                      const AttentionShape *shape, int64_t *workspace, char *message, int64_t size) {
  return guarded(message, size, [&] {
    auto error = load(library);
    if (error.is_bad()) return error;
    auto properties = std::make_shared<fe::DeviceProperties>();
    const std::string text(device);
    if ((error = properties->deserialize(std::vector<uint8_t>(text.c_str(), text.c_str() + text.size() + 1))).is_bad())
      return error;
    const auto graph = Builder{*shape, architecture, processors}.build();
    graph->set_device_properties(properties);
    if ((error = graph->validate()).is_bad()) return error;
    if ((error = graph->build_operation_graph()).is_bad()) return error;
    if ((error = graph->create_execution_plans({fe::HeurMode_t::A})).is_bad()) return error;
    if ((error = graph->check_support()).is_bad()) return error;
    if ((error = graph->build_plans()).is_bad()) return error;
    return graph->get_workspace_size(*workspace);
  });
}
}
