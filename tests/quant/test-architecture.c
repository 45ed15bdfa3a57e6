/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-architecture.h"

#include <string.h>

#include "tests/tare-test.h"

static void
test_table (void)
{
  for (gsize i = 0; i < tare_architecture_get_n_architectures (); i++)
    {
      const TareArchitecture *architecture = tare_architecture_get (i);

      g_assert_true (tare_architecture_lookup (architecture->id) == architecture);
      for (gsize j = 0; architecture->classes[j] != NULL; j++)
        g_assert_true (tare_architecture_lookup_class (architecture->classes[j]) == architecture);
      for (const TareTensorName *row = architecture->names; row->role != NULL; row++)
        g_assert_nonnull (tare_role_lookup (row->role));
    }

  g_assert_null (tare_architecture_lookup ("mamba"));
  g_assert_null (tare_architecture_lookup_class ("MambaForCausalLM"));
  g_assert_true (tare_architecture_lookup_class ("MistralForCausalLM")
                 == tare_architecture_lookup ("llama"));
}

/* The names that transformers and llama.cpp use for one tensor. */
static void
test_known (void)
{
  const struct { const char *architecture, *theirs, *canonical; } names[] = {
    { "llama", "model.embed_tokens.weight", "token_embd.weight" },
    { "llama", "model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight" },
    { "llama", "model.layers.12.self_attn.q_proj.weight", "blk.12.attn_q.weight" },
    { "llama", "model.layers.3.self_attn.o_proj.bias", "blk.3.attn_output.bias" },
    { "llama", "model.layers.3.post_attention_layernorm.weight", "blk.3.ffn_norm.weight" },
    { "llama", "model.layers.3.mlp.down_proj.weight", "blk.3.ffn_down.weight" },
    { "llama", "model.norm.weight", "output_norm.weight" },
    { "llama", "lm_head.weight", "output.weight" },
    { "qwen2", "model.layers.100.self_attn.k_proj.bias", "blk.100.attn_k.bias" },
    { "gptneox", "gpt_neox.layers.2.attention.query_key_value.bias", "blk.2.attn_qkv.bias" },
    { "gptneox", "embed_out.weight", "output.weight" },
    { "phi3", "model.layers.2.mlp.gate_up_proj.weight", "blk.2.ffn_up.weight" },
    { "gpt2", "h.1.attn.c_attn.weight", "blk.1.attn_qkv.weight" },
    { "gpt2", "h.1.ln_1.bias", "blk.1.attn_norm.bias" },
    { "gpt2", "wpe.weight", "position_embd.weight" },
    { "gemma2", "model.layers.1.post_attention_layernorm.weight",
      "blk.1.post_attention_norm.weight" },
    { "gemma2", "model.layers.1.pre_feedforward_layernorm.weight", "blk.1.ffn_norm.weight" },
    { "gemma2", "model.layers.1.post_feedforward_layernorm.weight", "blk.1.post_ffw_norm.weight" },
    { "qwen3", "model.layers.1.self_attn.k_norm.weight", "blk.1.attn_k_norm.weight" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const TareArchitecture *architecture = tare_architecture_lookup (names[i].architecture);
      g_autofree char *canonical = tare_architecture_to_canonical (architecture, names[i].theirs);
      g_autofree char *theirs = tare_architecture_to_hugging_face (architecture,
                                                                   names[i].canonical);

      g_assert_cmpstr (canonical, ==, names[i].canonical);
      g_assert_cmpstr (theirs, ==, names[i].theirs);
    }
}

/* One expert's matrix among those of all, and back; newer files have them together. */
static void
test_experts (void)
{
  const struct { const char *architecture, *theirs, *canonical; guint expert; } names[] = {
    { "llama", "model.layers.7.block_sparse_moe.experts.0.w1.weight",
      "blk.7.ffn_gate_exps.weight", 0 },
    { "llama", "model.layers.0.block_sparse_moe.experts.11.w2.weight",
      "blk.0.ffn_down_exps.weight", 11 },
    { "qwen3moe", "model.layers.3.mlp.experts.127.up_proj.weight",
      "blk.3.ffn_up_exps.weight", 127 },
  };
  const TareArchitecture *llama = tare_architecture_lookup ("llama");
  int block = -1;
  guint expert = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const TareArchitecture *architecture = tare_architecture_lookup (names[i].architecture);
      g_autofree char *canonical = tare_architecture_expert_to_canonical (architecture,
                                                                          names[i].theirs, &expert);
      g_autofree char *theirs
        = tare_architecture_expert_to_hugging_face (architecture, names[i].canonical,
                                                    names[i].expert);

      g_assert_cmpstr (canonical, ==, names[i].canonical);
      g_assert_cmpuint (expert, ==, names[i].expert);
      g_assert_cmpstr (theirs, ==, names[i].theirs);
      g_assert_null (tare_architecture_to_canonical (architecture, names[i].theirs));
      g_assert_null (tare_architecture_to_hugging_face (architecture, names[i].canonical));
    }

  g_assert_null (tare_architecture_expert_to_canonical (llama, "model.norm.weight", &expert));
  g_assert_null (tare_architecture_expert_to_canonical (
    llama, "model.layers.0.block_sparse_moe.experts.w1.weight", &expert));
  g_assert_null (tare_architecture_expert_to_hugging_face (llama, "blk.0.attn_q.weight", 0));
  g_assert_cmpstr (tare_architecture_find_stacked (llama, "model.layers.5.mlp.experts.down_proj",
                                                   &block)->role, ==, "ffn_down_exps");
  g_assert_cmpint (block, ==, 5);
  g_assert_cmpstr (tare_architecture_find_stacked (llama, "blk.6.ffn_gate_up_exps.weight",
                                                   &block)->role, ==, "ffn_gate_exps");
  g_assert_cmpint (block, ==, 6);
  g_assert_null (tare_architecture_find_stacked (llama, "blk.6.ffn_gate_exps.weight", &block));
  g_assert_null (tare_architecture_find_stacked (llama, "model.layers.5.mlp.down_proj", &block));
}

static void
test_unknown (void)
{
  static const char *const theirs[] = {
    "", ".weight", "model.layers.weight", "model.layers..self_attn.q_proj.weight",
    "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.q_proj.qweight",
    "model.layers.00.self_attn.q_proj.weight", "model.layers.-1.self_attn.q_proj.weight",
    "model.layers.1234567.self_attn.q_proj.weight", "model.layers.0.self_attn.q_norm.weight",
    "model.layers.0.self_attn.q_projx.weight", "xmodel.norm.weight", "model.layers.9",
    "model.layers.9.weight", "rope_freqs.weight",
  };
  static const char *const canonical[] = {
    "rope_freqs.weight", "blk.0.attn_q_norm.weight", "blk.0.attn_qkv.weight", "x", "",
  };
  const TareArchitecture *llama = tare_architecture_lookup ("llama");

  for (gsize i = 0; i < G_N_ELEMENTS (theirs); i++)
    g_assert_null (tare_architecture_to_canonical (llama, theirs[i]));
  for (gsize i = 0; i < G_N_ELEMENTS (canonical); i++)
    g_assert_null (tare_architecture_to_hugging_face (llama, canonical[i]));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/architecture/table", test_table);
  g_test_add_func ("/architecture/known", test_known);
  g_test_add_func ("/architecture/experts", test_experts);
  g_test_add_func ("/architecture/unknown", test_unknown);

  return g_test_run ();
}
