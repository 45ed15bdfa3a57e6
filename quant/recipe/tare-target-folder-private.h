/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "quant/model/tare-layout.h"
#include "quant/model/tare-safetensors.h"
#include "quant/recipe/tare-target-private.h"

G_BEGIN_DECLS

/**
 * TareOutput:
 * @name: of a tensor that is written
 * @dtype: its type
 * @n_dimensions: how many of @shape count
 * @shape: outermost first
 * @bytes: how long it is
 * @index: in the writer
 * @checksum: of what was written
 */
typedef struct
{
  char       *name;
  const char *dtype;
  guint       n_dimensions;
  guint64     shape[TARE_TENSOR_MAX_DIMENSIONS];
  guint64     bytes;
  gsize       index;
  guint64     checksum;
} TareOutput;

typedef struct _TarePacker TarePacker;

/**
 * TareItem:
 * @tensor: of the model
 * @file: how a Hugging Face folder has it
 * @layer: its name without ".weight"
 * @format: (nullable): what it is rounded to; %NULL where it is kept
 * @packer: (nullable): how the codes are laid out; %NULL where values are written
 * @raw: whether the bytes of the source are written as they are
 * @first: the first of the tensor's rows that it has: of an expert, where its matrix begins
 * @input: what is said of the rounding of the layer's inputs; nothing without a format
 * @leader: (nullable): the layer whose inputs these are, the first of those that share them
 * @expert: whose matrix it is; 0 also where there are none, or all are in it
 * @offset: what is taken off every value
 * @outputs: what is written, in the order of #TarePart for codes
 * @n_outputs: how many
 *
 * One tensor on its way into a folder, or the part of one that is an expert's. Those of one tensor
 * follow one another.
 */
typedef struct
{
  const TareTensor *tensor;
  TareTensor       *file;
  char             *layer;
  const TareFormat *format;
  const TarePacker *packer;
  gboolean          raw;
  gsize             first;
  gsize             expert;
  TareAssignment    input;
  const TareTensor *leader;
  float             offset;
  TareOutput        outputs[TARE_N_PARTS];
  guint             n_outputs;
} TareItem;

/**
 * TarePacker:
 * @layout: of the table of layouts, or "tare"
 * @plan: adds the outputs of an item
 * @pack: fills them; @parts has rows in the file's order, and is %NULL where @whole is set
 * @whole: whether @pack takes the encoded matrix as it is
 *
 * How one layout is written.
 */
struct _TarePacker
{
  const char *layout;
  void      (*plan) (TareItem         *item);
  void      (*pack) (const TareItem   *item,
                     const TareParts  *parts,
                     guint8          **outputs);
  gboolean    whole;
};

/**
 * TareFolderKind:
 * @container: the flag of the formats that it holds
 * @what: what an error calls it
 * @instead: formats that it holds, to name in an error
 * @value_type: (nullable): what formats that are no floats are written as, where it holds none
 * @runtime: whether linear layers alone are quantized, and fused ones share a format
 * @uniform: whether all layers share one format
 * @symmetric: whether it has no zero point of 0, and so none at all
 * @copy_name: (nullable): a file for what is said of the weights, besides config.json
 * @find_packer: (nullable): how a format is laid out
 * @find_input_packer: (nullable): how it is beside rounded inputs; %NULL where these cannot be said
 * @refuse: (nullable): why a matrix cannot be in a format, translatable, or %NULL if it can
 * @configure: (nullable): says in config.json how the weights are stored; @items are those written
 *
 * What differs between the targets that write a folder.
 */
typedef struct
{
  TareContainers     container;
  const char        *what;
  const char        *instead;
  const char        *value_type;
  gboolean           runtime;
  gboolean           uniform;
  gboolean           symmetric;
  const char        *copy_name;
  const TarePacker *(*find_packer) (const TareFormat   *format);
  const TarePacker *(*find_input_packer)
                                   (const TareFormat     *format,
                                    const TareAssignment *input);
  const char *      (*refuse)      (const TareTensor   *file,
                                    const TareFormat   *format);
  void              (*configure)   (GArray             *items,
                                    JsonObject         *config);
} TareFolderKind;

TarePlan *_tare_folder_plan       (const TareTarget    *self,
                                   TareModel           *model,
                                   TareRecipe          *recipe,
                                   GError             **error);
gboolean  _tare_folder_write      (const TareTarget    *self,
                                   TareEngine          *engine,
                                   TareRecipe          *recipe,
                                   TareCalibration     *calibration,
                                   const char          *path,
                                   GArray              *exported,
                                   const TareProgress  *progress,
                                   GError             **error);
gboolean  _tare_folder_is_linear  (const TareTensor    *tensor);
gboolean  _tare_folder_is_router  (const TareTensor    *tensor);
GArray   *_tare_folder_list_items (const TareFolderKind *kind,
                                   TareModel            *model,
                                   TareRecipe           *recipe);
void      _tare_item_add_output   (TareItem             *self,
                                   TarePart              part,
                                   const char           *name,
                                   const char           *dtype,
                                   guint64               rows,
                                   guint64               columns);
TareAssignment
          _tare_folder_find_input (TareModel            *model,
                                   TareRecipe           *recipe,
                                   const TareTensor     *tensor);
gboolean  _tare_folder_measure_input
                                 (TareItem             *self,
                                  TareCalibration      *calibration,
                                  guint8               *output,
                                  GError              **error);
guint64   _tare_item_get_bytes    (const TareItem       *self);
gboolean  _tare_folder_describe   (const TareFolderKind *kind,
                                   TareModel            *model,
                                   GArray               *items,
                                   TareSafetensorsWriter *writer,
                                   GError              **error);

G_END_DECLS
