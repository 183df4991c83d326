//! How a method becomes part of the module: its parameters, and where it runs.
//!
//! Nothing that reads the store or runs the EVM runs on the asynchronous runtime. Reads and heavy work have a gate each, so
//! that calls at their gas limit do not keep anyone from asking for a balance; what waits before a gate is bounded.

use super::{Rpc, errors::RpcError};
use crate::limits;
use jsonrpsee::{ResponsePayload, RpcModule, core::RegisterMethodError, types::Params};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::{future::Future, sync::Arc};
use tokio::sync::Semaphore;

type Answer = ResponsePayload<'static, Box<RawValue>>;

/// How many run at once, and how many may wait.
#[derive(Debug)]
pub(super) struct Gate {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new(running: usize) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(running + limits::RPC_WAITING)),
            running: Arc::new(Semaphore::new(running)),
        }
    }

    /// Runs `job` on a thread that may block, when its turn comes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let busy = || RpcError::Busy("too many requests are waiting");
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| busy())?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            // Held here, because a caller that hangs up does not stop the thread.
            let _permits = (admitted, running);
            job()
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request failed");
            Err(RpcError::Internal)
        })
    }
}

/// The module under construction.
#[derive(Debug)]
pub(super) struct Methods {
    pub(super) module: RpcModule<Arc<Rpc>>,
}

impl Methods {
    pub(super) fn new(rpc: Arc<Rpc>) -> Self {
        Self { module: RpcModule::new(rpc) }
    }

    /// A method that answers from memory at once.
    pub(super) fn quick<R, F>(&mut self, name: &'static str, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Send + Sync + 'static,
    {
        self.module.register_method(name, move |params, rpc, _| encode(run(&answer, rpc, &params)))?;
        Ok(())
    }

    /// A method that reads blocks or state.
    pub(super) fn read<R, F>(&mut self, name: &'static str, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize + 'static,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Copy + Send + Sync + 'static,
    {
        self.gated(name, |rpc| &rpc.reads, answer)
    }

    /// A method that runs the EVM or goes through many blocks.
    pub(super) fn heavy<R, F>(&mut self, name: &'static str, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize + 'static,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Copy + Send + Sync + 'static,
    {
        self.gated(name, |rpc| &rpc.heavy, answer)
    }

    fn gated<R, F>(&mut self, name: &'static str, gate: fn(&Rpc) -> &Gate, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize + 'static,
        F: Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError> + Copy + Send + Sync + 'static,
    {
        self.module.register_async_method(name, move |params, rpc, _| async move {
            let shared = Arc::clone(&rpc);
            // The response is written where it was made: a large one takes longer to write than to find.
            let job = move || run(&answer, &shared, &params).and_then(|result| raw(&result));
            respond(gate(&rpc).run(job).await)
        })?;
        Ok(())
    }

    /// A method that waits for something.
    pub(super) fn waiting<R, F, W>(&mut self, name: &'static str, answer: F) -> Result<(), RegisterMethodError>
    where
        R: Serialize,
        F: Fn(Arc<Rpc>, Params<'static>) -> W + Clone + Send + Sync + 'static,
        W: Future<Output = Result<R, RpcError>> + Send,
    {
        self.module.register_async_method(name, move |params, rpc, _| {
            let answer = answer.clone();
            async move { encode(answer(Arc::clone(&rpc), params).await) }
        })?;
        Ok(())
    }
}

fn run<R>(
    answer: &impl Fn(&Rpc, &mut Arguments<'_>) -> Result<R, RpcError>,
    rpc: &Rpc,
    params: &Params<'_>,
) -> Result<R, RpcError> {
    let mut arguments = Arguments::new(params)?;
    answer(rpc, &mut arguments)
}

fn raw(result: &impl Serialize) -> Result<Box<RawValue>, RpcError> {
    to_raw_value(result).map_err(|error| {
        tracing::error!(%error, "a response could not be written");
        RpcError::Internal
    })
}

fn encode(result: Result<impl Serialize, RpcError>) -> Answer {
    respond(result.and_then(|result| raw(&result)))
}

fn respond(result: Result<Box<RawValue>, RpcError>) -> Answer {
    match result {
        Ok(result) => ResponsePayload::success(result),
        Err(error) => ResponsePayload::error(error),
    }
}

/// The positional parameters of one request.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    values: std::vec::IntoIter<&'a RawValue>,
    taken: usize,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(params: &'a Params<'_>) -> Result<Self, RpcError> {
        let values: Vec<&RawValue> = match params.as_str() {
            None | Some("null" | "") => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|_| invalid("the parameters are not an array"))?,
        };
        Ok(Self { values: values.into_iter(), taken: 0 })
    }

    /// The next parameter, which must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        let missing = invalid(&format!("missing value for required argument {}", self.taken));
        self.optional()?.ok_or(missing)
    }

    /// The next parameter, which may be missing or null.
    pub(super) fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let Some(value) = self.values.next() else { return Ok(None) };
        let at = self.taken;
        self.taken += 1;
        serde_json::from_str(value.get()).map_err(|error| invalid(&format!("invalid argument {at}: {error}")))
    }
}

fn invalid(message: &str) -> RpcError {
    RpcError::InvalidParams(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;

    #[test]
    fn parameters_of_the_wrong_type_are_told_by_their_place() {
        let params = Params::new(Some(r#"["0x0000000000000000000000000000000000000001", 7]"#));
        let mut arguments = Arguments::new(&params).unwrap();
        assert_eq!(arguments.required::<Address>().unwrap(), Address::with_last_byte(1));
        let error = arguments.required::<Address>().unwrap_err();
        assert_eq!(error.code(), -32602);
        assert!(error.to_string().starts_with("invalid argument 1: "), "{error}");
    }

    #[test]
    fn missing_parameters_are_null() {
        let params = Params::new(Some("[ null ]"));
        let mut arguments = Arguments::new(&params).unwrap();
        assert!(arguments.optional::<u64>().unwrap().is_none());
        assert!(arguments.optional::<u64>().unwrap().is_none());
        assert_eq!(arguments.required::<u64>().unwrap_err().to_string(), "missing value for required argument 1");
    }

    #[test]
    fn named_parameters_are_refused() {
        let params = Params::new(Some(r#"{"a": 1}"#));
        assert_eq!(Arguments::new(&params).unwrap_err().code(), -32602);
    }
}
