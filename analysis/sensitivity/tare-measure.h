/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-measure-context.h"

G_BEGIN_DECLS

/**
 * TareMeasureCost:
 * @TARE_MEASURE_COST_WEIGHTS: the weights are read, and perhaps rounded
 * @TARE_MEASURE_COST_CALIBRATION: a calibration is looked at too
 * @TARE_MEASURE_COST_GRADIENT: the network is run forth and back, for all layers at once
 * @TARE_MEASURE_COST_FORWARD: the network is run for every layer
 * @TARE_MEASURE_COST_HESSIAN: products with the Hessian of the loss are formed
 *
 * How dear a measure is; each class costs more than those before it.
 */
typedef enum
{
  TARE_MEASURE_COST_WEIGHTS,
  TARE_MEASURE_COST_CALIBRATION,
  TARE_MEASURE_COST_GRADIENT,
  TARE_MEASURE_COST_FORWARD,
  TARE_MEASURE_COST_HESSIAN,
} TareMeasureCost;

/**
 * TareMeasureDirection:
 * @TARE_MEASURE_DIRECTION_NEITHER: it describes, and says nothing of good or bad
 * @TARE_MEASURE_DIRECTION_MORE_IS_WORSE: more of it makes a layer harder to round
 * @TARE_MEASURE_DIRECTION_LESS_IS_WORSE: less of it does
 */
typedef enum
{
  TARE_MEASURE_DIRECTION_NEITHER,
  TARE_MEASURE_DIRECTION_MORE_IS_WORSE,
  TARE_MEASURE_DIRECTION_LESS_IS_WORSE,
} TareMeasureDirection;

/**
 * TareMeasureNeeds:
 * @TARE_MEASURE_NEEDS_WEIGHTS: the weights, which are always there
 * @TARE_MEASURE_NEEDS_CALIBRATION: a calibration that has seen the layer
 * @TARE_MEASURE_NEEDS_GRAM: one with the layer's full input Hessian
 * @TARE_MEASURE_NEEDS_SPECTRUM: one with that or a sketch of it
 * @TARE_MEASURE_NEEDS_TEXT: a text to run the network on
 * @TARE_MEASURE_NEEDS_FORMAT: an assignment, on which the value depends
 *
 * What a measure is made from.
 */
typedef enum
{
  TARE_MEASURE_NEEDS_WEIGHTS     = 1 << 0,
  TARE_MEASURE_NEEDS_CALIBRATION = 1 << 1,
  TARE_MEASURE_NEEDS_GRAM        = 1 << 2,
  TARE_MEASURE_NEEDS_TEXT        = 1 << 3,
  TARE_MEASURE_NEEDS_FORMAT      = 1 << 4,
  TARE_MEASURE_NEEDS_SPECTRUM    = 1 << 5,
} TareMeasureNeeds;

/**
 * TareMeasureValue:
 * @value: the value, NaN where it is not defined
 * @error: its standard error, NaN where that is unknown, 0 where it is exact
 */
typedef struct
{
  double value;
  double error;
} TareMeasureValue;

typedef struct _TareMeasure TareMeasure;

/**
 * TareMeasure:
 * @id: what the command line calls it, "proxy_loss"
 * @label: what a person reads at the head of a column
 * @definition: what it is, in one translatable sentence
 * @unit: of its values, "" for none
 * @source: the paper or document that defines it
 * @cost: how dear it is
 * @direction: whether more of it is worse
 * @needs: what it is made from
 * @compute: private: its value for one tensor; called only where all is there that it needs
 * @offset: private: what tells rows with the same @compute apart
 *
 * One row of the measure table: something that is known of a layer by itself, or of what rounding
 * it costs. Columns, charts, the command line and exports iterate the table.
 */
struct _TareMeasure
{
  const char           *id;
  const char           *label;
  const char           *definition;
  const char           *unit;
  const char           *source;
  TareMeasureCost       cost;
  TareMeasureDirection  direction;
  TareMeasureNeeds      needs;
  gboolean            (*compute) (const TareMeasure     *self,
                                  TareMeasureContext    *context,
                                  const TareTensor      *tensor,
                                  const TareAssignment  *assignment,
                                  const TareProgress    *progress,
                                  TareMeasureValue      *value,
                                  GError               **error);
  gsize                 offset;
};

gsize              tare_measure_get_n_measures (void);
const TareMeasure *tare_measure_get            (gsize                   index);
const char        *tare_measure_name_at        (gsize                   index);
const TareMeasure *tare_measure_lookup         (const char             *id);
gboolean           tare_measure_is_by_format   (const TareMeasure      *self);
gboolean           tare_measure_compute        (const TareMeasure      *self,
                                                TareMeasureContext     *context,
                                                const TareTensor       *tensor,
                                                const TareAssignment   *assignment,
                                                const TareProgress     *progress,
                                                TareMeasureValue       *value,
                                                GError                **error);

const char        *tare_measure_cost_get_id       (TareMeasureCost       cost);
const char        *tare_measure_cost_get_label    (TareMeasureCost       cost);
const char        *tare_measure_direction_get_id  (TareMeasureDirection  direction);

G_END_DECLS
