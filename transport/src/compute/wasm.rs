//! WebAssembly modules, run by an interpreter within bounds of fuel, memory and time.
//!
//! Fuel is given in slices, and between two of them the clock is looked at. A call that has no fuel left goes on from
//! there with the next slice, so what it computes and how much it burns do not depend on how it was cut.

use seedbed_core::scheduler::call::{Limits, MODULE_BYTES_MAX};
use wasmi::errors::MemoryError;
use wasmi::{
    CompilationMode, Config, EnforcedLimits, Engine, Error, Instance, Module, ResourceLimiter, Store,
    TrapCode, TypedFunc, TypedResumableCall, WasmParams, WasmResults,
};
use wasmi_core::LimiterError;

use super::Failure;
use super::deadline::Deadline;

/// How much fuel a module gets between two looks at the clock: some hundredths of a second.
pub const FUEL_AT_ONCE: u64 = 5_000_000;
/// How many calls may be under way in a module, one in the other.
pub const CALLS_DEEP_MAX: usize = 10_000;
/// The most tables of a module, and the most elements of each.
pub const TABLES_MAX: usize = 4;
/// The most elements of a table.
pub const TABLE_ELEMENTS_MAX: usize = 65_536;

/// What parameters, locals and operands of all calls under way may take, in bytes.
const STACK_MAX: usize = 8 << 20;

/// A module that is ready to be run.
#[derive(Debug)]
pub(super) struct Compiled(Module);

impl Compiled {
    /// Validates and translates all of it at once: what a call burns must not depend on what ran before.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.len() > MODULE_BYTES_MAX {
            return Err(Failure::Invalid(format!("{} bytes are more than {MODULE_BYTES_MAX}", bytes.len())));
        }
        let module =
            Module::new(&engine(), bytes).map_err(|error| Failure::Invalid(Failure::quote(error)))?;
        if let Some(import) = module.imports().next() {
            let name = Failure::quote(format_args!("`{}` of `{}`", import.name(), import.module()));
            return Err(Failure::Imports(name));
        }
        Ok(Self(module))
    }

    /// Runs it once, in an instance that is gone afterwards.
    pub(super) fn run(
        &self,
        argument: &[u8],
        limits: &Limits,
        deadline: Deadline,
    ) -> Result<Vec<u8>, Failure> {
        let mut run = Run::new(&self.0, limits, deadline);
        let instance = run.instantiate(&self.0)?;
        let memory = instance.get_memory(&run.store, "memory").ok_or(Failure::NoExport("`memory`"))?;
        let alloc = instance.get_typed_func::<u32, u32>(&run.store, "alloc");
        let alloc = alloc.map_err(|_| Failure::NoExport("`alloc(i32) -> i32`"))?;
        let entry = instance.get_typed_func::<(u32, u32), u64>(&run.store, "run");
        let entry = entry.map_err(|_| Failure::NoExport("`run(i32, i32) -> i64`"))?;

        let length = argument.len() as u32;
        let address = run.call(alloc, length)?;
        memory.write(&mut run.store, address as usize, argument).map_err(|_| Failure::OutOfBounds)?;
        let answer = run.call(entry, (address, length))?;
        let (address, length) = (answer >> 32, answer & u64::from(u32::MAX));
        if length > limits.output.0 {
            return Err(Failure::AnswerTooLong(length));
        }
        let rest = memory.data(&run.store).get(address as usize..);
        let answer = rest.and_then(|rest| rest.get(..length as usize));
        answer.map(<[u8]>::to_vec).ok_or(Failure::OutOfBounds)
    }
}

/// An engine of its own for each module, because an engine keeps the code of all its modules for as long as it lives.
fn engine() -> Engine {
    let mut config = Config::default();
    config
        .consume_fuel(true)
        .compilation_mode(CompilationMode::Eager)
        .enforced_limits(EnforcedLimits::strict())
        .ignore_custom_sections(true)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .set_max_recursion_depth(CALLS_DEEP_MAX)
        .set_max_stack_height(STACK_MAX);
    Engine::new(&config)
}

/// A run of a module.
struct Run {
    store: Store<Bounds>,
    /// What has not been burnt yet, what is in the store included.
    fuel: u64,
    deadline: Deadline,
}

impl Run {
    fn new(module: &Module, limits: &Limits, deadline: Deadline) -> Self {
        let memory = usize::try_from(limits.memory.0).unwrap_or(usize::MAX);
        let bounds = Bounds { memory, is_short: false, is_fixed: false };
        let mut store = Store::new(module.engine(), bounds);
        store.limiter(|bounds| bounds);
        Self { store, fuel: limits.fuel, deadline }
    }

    /// Makes the instance, and runs its start function, which cannot go on if its slice of fuel is not enough.
    fn instantiate(&mut self, module: &Module) -> Result<Instance, Failure> {
        let slice = self.fill(0)?;
        let instance = Instance::new(&mut self.store, module, &[]);
        self.settle(slice);
        self.store.data_mut().is_fixed = true;
        instance.map_err(|error| self.failure(&error))
    }

    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        function: TypedFunc<P, R>,
        with: P,
    ) -> Result<R, Failure> {
        let mut slice = self.fill(0)?;
        let mut state = function.call_resumable(&mut self.store, with);
        loop {
            self.settle(slice);
            match state.map_err(|error| self.failure(&error))? {
                TypedResumableCall::Finished(results) => return Ok(results),
                TypedResumableCall::OutOfFuel(call) => {
                    slice = self.fill(call.required_fuel())?;
                    state = call.resume(&mut self.store);
                }
                // Cannot be: there is nothing of the host that it could call.
                TypedResumableCall::HostTrap(call) => {
                    return Err(Failure::Trapped(Failure::quote(call.host_error())));
                }
            }
        }
    }

    /// Puts a slice of fuel into the store, and no less than is needed to go on.
    fn fill(&mut self, needed: u64) -> Result<u64, Failure> {
        self.deadline.check()?;
        if self.fuel < needed {
            return Err(Failure::OutOfFuel);
        }
        let slice = self.fuel.min(FUEL_AT_ONCE.max(needed));
        self.store.set_fuel(slice).map_err(|error| Failure::Trapped(Failure::quote(error)))?;
        Ok(slice)
    }

    /// Takes note of what was burnt of a slice.
    fn settle(&mut self, slice: u64) {
        let left = self.store.get_fuel().unwrap_or(0);
        self.fuel -= slice.saturating_sub(left);
    }

    fn failure(&self, error: &Error) -> Failure {
        match error.as_trap_code() {
            Some(TrapCode::OutOfFuel) => Failure::OutOfFuel,
            Some(TrapCode::OutOfSystemMemory | TrapCode::GrowthOperationLimited) => Failure::OutOfMemory,
            // Who does not get memory gives up in its own way.
            _ if self.store.data().is_short => Failure::OutOfMemory,
            _ => Failure::Trapped(Failure::quote(error)),
        }
    }
}

/// What an instance may have.
#[derive(Debug)]
struct Bounds {
    /// In bytes.
    memory: usize,
    /// Whether it did not get the memory that it asked for last.
    is_short: bool,
    /// Whether its tables keep their size from now on. A call that runs out of fuel in `table.grow` cannot go on: the
    /// interpreter (2.0.0) does not note where it was.
    is_fixed: bool,
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        self.is_short = desired > self.memory;
        Ok(!self.is_short)
    }

    fn memory_grow_failed(&mut self, error: &MemoryError) -> Result<(), LimiterError> {
        if matches!(error, MemoryError::OutOfSystemMemory) {
            // The module must not see it: elsewhere it would go on.
            self.is_short = true;
            return Err(LimiterError::ResourceLimiterDeniedAllocation);
        }
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        Ok(!self.is_fixed && desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        1
    }
}
