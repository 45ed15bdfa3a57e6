/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format.h"
#include "quant/model/tare-file.h"
#include "quant/model/tare-role.h"

G_BEGIN_DECLS

#define TARE_TENSOR_MAX_DIMENSIONS 8

struct _TareStored;

/**
 * TareSlice:
 * @file: where it lies
 * @offset: from the start of @file
 * @stored: (nullable): its parts, where it is a matrix of a quantized checkpoint
 *
 * One of several pieces of equal size that make up a tensor.
 */
typedef struct
{
  TareFile           *file;
  guint64             offset;
  struct _TareStored *stored;
} TareSlice;

/**
 * TareTensor:
 * @name: as the file calls it
 * @canonical: GGUF's name for it; @name where the architecture is unknown
 * @role: (nullable): what it does, or %NULL where that is unknown
 * @block: its block, or -1
 * @bias: whether it is the bias of its role
 * @type_name: the stored type as a person knows it, "BF16", "Q4_K"
 * @format: (nullable): how to decode it, or %NULL where no row of the format table does
 * @parameters: (nullable): what @format keeps once for a matrix, of each matrix, where the file has
 *   that elsewhere and not before the rows: GGUF's NVFP4; @bytes is without it
 * @stored: (nullable): the parts of a matrix of a quantized checkpoint, which is decoded by its
 *   layout instead; @file and @offset are then those of its codes, @bytes is what all parts take;
 *   of a tensor in slices, the first one's
 * @n_dimensions: number of dimensions
 * @shape: outermost first, as safetensors writes it: { rows, columns } of a matrix
 * @columns: the contiguous dimension: a linear layer's inputs
 * @rows: the product of the others
 * @head_rows: rows of one attention head where the file keeps the halves of its rotary pairs
 *   apart and GGUF wants them interleaved (Hugging Face's llama: query and key); otherwise 0
 * @head_groups: where the file has the queries, the key and the value of so many groups of heads
 *   together, each @head_rows rows, and GGUF all queries before all keys before all values
 *   (Hugging Face's gpt_neox); otherwise 0
 * @transposed: whether the file has columns x rows, as for the convolutions of GPT-2; @shape, @rows
 *   and @columns are GGUF's all the same
 * @file: where it lies, or its first slice
 * @offset: from the start of @file
 * @bytes: how much of it, or of all slices together
 * @slices: (nullable): where it lies in pieces, each the same number of rows, as the matrices of
 *   the experts do that a Hugging Face file has in tensors of their own
 * @n_slices: how many, 0 where it lies in one piece
 *
 * One tensor of a model, immutable and owned by it. Rows are counted in GGUF's order, whatever
 * the file's, so that two sources of one model agree weight by weight.
 */
typedef struct
{
  char             *name;
  char             *canonical;
  const TareRole   *role;
  int               block;
  gboolean          bias;
  char             *type_name;
  const TareFormat *format;
  guint8           *parameters;
  struct _TareStored *stored;
  guint             n_dimensions;
  guint64           shape[TARE_TENSOR_MAX_DIMENSIONS];
  gsize             columns;
  gsize             rows;
  gsize             head_rows;
  gsize             head_groups;
  gboolean          transposed;
  TareFile         *file;
  guint64           offset;
  guint64           bytes;
  TareSlice        *slices;
  gsize             n_slices;
} TareTensor;

void          tare_tensor_free           (TareTensor        *self);
guint64       tare_tensor_get_bytes      (const TareTensor  *self);
gsize         tare_tensor_get_parameter_bytes (const TareTensor *self);
gboolean      tare_tensor_can_read       (const TareTensor  *self);
gboolean      tare_tensor_is_weight      (const TareTensor  *self);
gsize         tare_tensor_get_n_weights  (const TareTensor  *self);
gsize         tare_tensor_get_file_row   (const TareTensor  *self,
                                          gsize              row);
gsize         tare_tensor_get_n_matrices (const TareTensor  *self);
gboolean      tare_tensor_is_stacked     (const TareTensor  *self);
const guint8 *tare_tensor_get_row        (const TareTensor  *self,
                                          gsize              row);
void          tare_tensor_copy_rows      (const TareTensor  *self,
                                          gsize              first,
                                          gsize              n,
                                          guint8            *out);
gboolean      tare_tensor_read_rows      (const TareTensor  *self,
                                          gsize              first,
                                          gsize              n,
                                          float             *out,
                                          GError           **error);
gboolean      tare_tensor_read           (const TareTensor  *self,
                                          float             *out,
                                          GError           **error);
void          tare_tensor_release_rows   (const TareTensor  *self,
                                          gsize              first,
                                          gsize              n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareTensor, tare_tensor_free)

G_END_DECLS
