//! Plans that can be stopped.
//!
//! A query ends when its [`crate::Rows`] is dropped or its time is over, but only where it
//! gives way. Sources do by themselves; a join can make millions of batches out of two, so each
//! batch out of a join counts against the task's budget.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// The plan, giving way after each batch of what can multiply rows.
pub(crate) fn giving_way(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|plan| {
        let multiplies = plan.name().contains("Join") || plan.name() == "UnnestExec";
        if !multiplies {
            return Ok(Transformed::no(plan));
        }
        let wrapped: Arc<dyn ExecutionPlan> = Arc::new(CooperativeExec::new(plan));
        Ok(Transformed::yes(wrapped))
    })?;
    Ok(wrapped.data)
}
