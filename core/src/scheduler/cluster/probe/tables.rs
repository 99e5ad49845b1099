//! What is measured and checked, in words.

use crate::contract::{Check, Metric};

pub(in crate::scheduler::cluster) fn metrics() -> Vec<Metric> {
    let (number, samples, series) = (Metric::number, Metric::samples, Metric::series);
    vec![
        number("submitted", "", "tasks taken"),
        number("validated", "", "tasks of which an answer was accepted"),
        number("failed_tasks", "", "tasks that failed"),
        number("cancelled", "", "tasks cancelled"),
        number("open", "", "tasks that had not ended when the run did"),
        number("makespan_s", "s", "from the first submission to the end of the last task that ended"),
        number("throughput", "1/s", "tasks validated in a second of that time"),
        samples("wait_s", "s", "from when a task could run until a worker first got it"),
        samples("response_s", "s", "from the submission of a task to its accepted answer"),
        samples(
            "slowdown",
            "",
            "bounded slowdown: response over work, which counts as 10 s at least; 1 at least",
        ),
        number("late", "", "tasks validated after their deadline"),
        number("jain", "", "Jain's index of fairness over the users' mean slowdowns: 1 if all are equal"),
        number("utilisation", "ratio", "core-seconds reserved by copies over those of workers that are up"),
        series("utilisation_now", "ratio", "cores reserved by copies over those of workers that are up"),
        series("workers_now", "", "workers that the hub counts on"),
        number(
            "wasted",
            "ratio",
            "share of the workers' time that did not go to a first copy of a validated task",
        ),
        number("jobs_per_task", "", "copies given out, without spot-checks, for each validated task"),
        number("jobs_with_checks_per_task", "", "copies and spot-checks given out for each validated task"),
        number("jobs_formula", "", "copies for each task by the policy's formula"),
        number("spot_checks", "", "spot-checks given out"),
        number("error_rate", "ratio", "share of accepted answers that are wrong"),
        number("error_formula", "ratio", "that share by the policy's formula or bound"),
        number("blacklisted", "", "saboteurs found out"),
        number("blacklisted_falsely", "", "honest workers blacklisted"),
        samples(
            "time_to_blacklist_s",
            "s",
            "from a saboteur's first coming under a name until it was found out",
        ),
        number("workers_lost", "", "how often a worker counted as gone"),
        samples("recovery_s", "s", "from a worker's end until another has the task that it was at"),
        number("messages_per_task", "", "messages sent for each validated task"),
        samples("workflow_makespan_s", "s", "from the submission of a workflow to its last accepted answer"),
        samples(
            "slr",
            "",
            "schedule length ratio: that time over the work on the longest path at the best speed",
        ),
        samples("speedup", "", "the time of all work on the best core over that of the workflow"),
        samples("efficiency", "", "speedup over the number of cores"),
        number("workflows_failed", "", "workflows with a task that failed or was cancelled"),
    ]
}

pub(in crate::scheduler::cluster) fn checks() -> Vec<Check> {
    let check = |name, about| Check { name, about };
    vec![
        check("accepted-once", "no task ends twice"),
        check(
            "nothing-acknowledged-is-lost",
            "the hub knows every task and every end that a client was told of",
        ),
        check("no-double-assignment", "no worker gets a task twice in one attempt"),
        check("dependencies-are-respected", "no task is given out before all that it needs are validated"),
        check("capacity-is-respected", "no worker works at more than it has cores and memory for"),
        check("accepted-answers-are-right", "if nobody lies, every accepted answer is right"),
        check("the-hub-is-sound", "what the hub knows of tasks, copies, workers and trust fits together"),
        check("no-stuck-task", "in the end, every task that may run is with a worker or waits for one"),
    ]
}
