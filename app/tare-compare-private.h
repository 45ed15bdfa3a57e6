/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "app/tare-study.h"
#include "quant/model/tare-model.h"

G_BEGIN_DECLS

/**
 * TareCompareKind:
 * @TARE_COMPARE_KIND_MODELS: what is stored, and how far one's weights are from the other's
 * @TARE_COMPARE_KIND_RECIPES: what would be stored, and what rounding by each costs
 */
typedef enum
{
  TARE_COMPARE_KIND_MODELS,
  TARE_COMPARE_KIND_RECIPES,
} TareCompareKind;

/**
 * TareCompareSide:
 * @tensor: (nullable): the tensor; %NULL where only the other side has it
 * @format: (nullable): what it is stored as, as a person knows it
 * @bytes: what it takes
 * @assignment: what the recipe says of it
 */
typedef struct
{
  const TareTensor *tensor;
  char             *format;
  guint64           bytes;
  TareAssignment    assignment;
} TareCompareSide;

/**
 * TareCompareRow:
 * @index: its place in the order in which data flows, A's tensors first
 * @name: canonical
 * @sides: A and B
 * @figures: of models the relative error and the largest difference, of recipes the relative
 *   error of A and of B; NaN where they are not known
 * @pending: whether the figures are still to come
 * @settled_differs: whether the two differ in more than the figures say
 * @verdict: (nullable): in a word, why there are no figures
 * @note: (nullable): the same in a sentence
 *
 * One tensor of the sheet. Emits "changed" when something about it is known anew.
 */
#define TARE_TYPE_COMPARE_ROW (tare_compare_row_get_type ())
G_DECLARE_FINAL_TYPE (TareCompareRow, tare_compare_row, TARE, COMPARE_ROW, GObject)

struct _TareCompareRow
{
  GObject          parent_instance;

  guint            index;
  TareCompareKind  kind;
  char            *name;
  TareCompareSide  sides[2];
  double           figures[2];
  gboolean         pending;
  gboolean         settled_differs;
  char            *verdict;
  char            *note;
};

TareCompareRow      *_tare_compare_row_new_models        (guint             index,
                                                          const TareTensor *a,
                                                          const TareTensor *b);
TareCompareRow      *_tare_compare_row_new_recipes       (guint             index,
                                                          const TareTensor *tensor,
                                                          TareRecipe       *a,
                                                          TareRecipe       *b);
gboolean             _tare_compare_row_set_recipes       (TareCompareRow   *self,
                                                          TareRecipe       *a,
                                                          TareRecipe       *b);
void                 _tare_compare_row_set_figures       (TareCompareRow   *self,
                                                          const double     *figures,
                                                          const char       *verdict,
                                                          const char       *note);
gboolean             _tare_compare_row_differs           (TareCompareRow   *self);

void                 _tare_compare_columns_add            (GtkColumnView    *table,
                                                          TareCompareKind   kind);
char                *_tare_compare_columns_dup_csv        (GListModel       *rows,
                                                          TareCompareKind   kind);

guint                _tare_compare_totals_count_pending   (GListModel       *rows);
guint                _tare_compare_totals_count_differing (GListModel       *rows);
char                *_tare_compare_totals_dup_side        (GListModel       *rows,
                                                          guint             side,
                                                          const char       *name);
char                *_tare_compare_totals_dup_warning     (GListModel       *rows);
char                *_tare_compare_totals_dup_state       (GListModel       *rows,
                                                          gboolean          stopped);

/* What a study is asked: pairs in the order in which they are wanted. */
typedef struct
{
  guint             row;
  const TareTensor *a;
  const TareTensor *b;
} TareComparePair;

typedef struct
{
  TareCompareKind  kind;
  TareModel       *b;
  TareRecipe      *recipes[2];
  GArray          *pairs;
} TareCompareRequest;

/* What it finds of a row; with @verdict, why there is nothing. */
typedef struct
{
  guint  row;
  double figures[2];
  char  *verdict;
  char  *note;
} TareCompareFinding;

void     _tare_compare_request_free (gpointer        data);
void     _tare_compare_finding_free (gpointer        data);
gboolean _tare_compare_study_work   (TareStudyTask  *task,
                                     GError        **error);

G_END_DECLS
