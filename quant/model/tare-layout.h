/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "quant/model/tare-tensor.h"

G_BEGIN_DECLS

/**
 * TarePart:
 * @TARE_PART_CODES: the codes, packed
 * @TARE_PART_SCALES: what they are multiplied with, one for each group
 * @TARE_PART_ZEROS: what is taken off them first, one for each group
 * @TARE_PART_TENSOR_SCALE: one number for all scales
 * @TARE_PART_GROUPS: which group each column belongs to
 * @TARE_PART_SHAPE: rows and columns, where packing hides them
 * @TARE_PART_INPUT_SCALE: what the layer's inputs are divided by before they are rounded
 *
 * The tensors of a safetensors file that together hold one quantized matrix.
 */
typedef enum
{
  TARE_PART_CODES,
  TARE_PART_SCALES,
  TARE_PART_ZEROS,
  TARE_PART_TENSOR_SCALE,
  TARE_PART_GROUPS,
  TARE_PART_SHAPE,
  TARE_PART_INPUT_SCALE,
  TARE_N_PARTS,
} TarePart;

typedef struct _TareLayout TareLayout;

/**
 * TareStored:
 * @layout: how the parts go together
 * @parts: (nullable): the tensors of the file
 * @rows: of the matrix, a linear layer's outputs, in the file's order
 * @columns: its inputs
 * @bits: of a code
 * @group: columns that share a scale
 * @n_groups: groups of a row
 * @row_block: rows that share a scale
 * @padded: whether no code straddles two words, so that some bits of a word are unused
 * @zero_offset: what GPTQ's first version takes off its zero points before it stores them
 * @input: (nullable): what the layer's inputs are rounded to when it is run
 * @input_limits: (nullable): the largest input that this reaches to, for every column, where that
 *   is known before; %NULL where every token has a scale of its own
 *
 * One matrix of a quantized checkpoint: (code - zero) scale. Immutable and reference counted.
 */
typedef struct _TareStored
{
  const TareLayout *layout;
  TareTensor       *parts[TARE_N_PARTS];
  gsize             rows;
  gsize             columns;
  guint             bits;
  gsize             group;
  gsize             n_groups;
  gsize             row_block;
  gboolean          padded;
  guint             zero_offset;
  const TareFormat *input;
  float            *input_limits;
} TareStored;

/**
 * TareScheme:
 * @bits: of a code, 0 where it is not said
 * @asymmetric: whether there must be zero points
 * @version: of GPTQ's zero points: 1 where 1 is taken off them, 2 where not
 * @block_rows: rows that share a scale where blocks of the matrix do, otherwise 0
 * @block_columns: and columns
 * @input: (nullable): what inputs are rounded to
 * @input_static: whether by one scale that is known before
 *
 * What a quantization_config says of one matrix, as far as the parts alone do not tell.
 */
typedef struct
{
  guint    bits;
  gboolean asymmetric;
  guint    version;
  gsize    block_rows;
  gsize    block_columns;

  const TareFormat *input;
  gboolean          input_static;
} TareScheme;

/**
 * TareLayout:
 * @id: as configurations call it, "pack-quantized"
 * @names: (nullable): what the parts are called behind the name of the layer, ".weight_packed"
 * @required: which parts there must be, a bit each
 * @code_types: the types that the codes may have, %NULL-terminated
 * @scale_types: (nullable): the types that the scales may have, %NULL-terminated; %NULL for any
 *   that can be read
 * @upright: whether the matrix is outputs by inputs even where the network has it transposed
 * @take: finds the numbers from the shapes of the parts; returns what is wrong with them, in words
 *   for behind the tensor's name, or %NULL
 * @unpack: @n rows of codes as numbers
 * @get_zero: (nullable): the zero point of a row and a group
 * @describe: appends what a person knows it as, "W4A16 g128"
 *
 * One row of the table of layouts: how quantized checkpoints keep a matrix.
 */
struct _TareLayout
{
  const char        *id;
  const char        *names[TARE_N_PARTS];
  guint              required;
  const char *const *code_types;
  const char *const *scale_types;
  gboolean           upright;
  char *           (*take)     (TareStored        *self,
                                const TareScheme  *scheme);
  void             (*unpack)   (const TareStored  *self,
                                gsize              first,
                                gsize              n,
                                float             *out);
  float            (*get_zero) (const TareStored  *self,
                                gsize              row,
                                gsize              group);
  void             (*describe) (const TareStored  *self,
                                GString           *text);
};

gsize             tare_layout_get_n_layouts (void);
const TareLayout *tare_layout_get           (gsize              index);

gboolean          tare_stored_gather        (GPtrArray         *tensors,
                                             JsonObject        *config,
                                             const char        *path,
                                             GError           **error);
TareStored       *tare_stored_ref           (TareStored        *self);
void              tare_stored_unref         (TareStored        *self);
gboolean          tare_stored_read          (const TareStored  *self,
                                             gsize              first,
                                             gsize              n,
                                             float             *out,
                                             GError           **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareStored, tare_stored_unref)

G_END_DECLS
