"""The batch transport: one Faust event per fetched partition batch. URL scheme `sluice://host:port`.

Faust keeps group membership, the fetch loop, agents and rebalancing; what it gets wrong for us is replaced here:

* one message per batch instead of per record (stock: 70-110 us per record);
* offsets are never committed by Faust: they travel in the shards' transactions (stock commits past unfinished work);
* seeks go to the position a shard expects, not to "committed", which aiokafka skips where nothing is committed;
* records fetched for a paused partition are sought back to, not dropped;
* an idle fetch loop keeps polling, so a back-pressured member is not thrown out of its group;
* shards are fenced inside the assigned callback (Faust's signal is not a barrier) and restored behind it: partitions
  of a shard that is not open are paused, and read from what it expects as soon as it is.

The app carries `shard_host` (streams.shard.host) and `shard_fetch` (streams.worker.app.FetchOptions).
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiokafka
from aiokafka.errors import IllegalStateError
from faust.serializers.schemas import Schema
from faust.transport.conductor import Conductor as _Conductor
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ConsumerMessage
from mode import Service

from streams.worker import fetching, records
from streams.worker.assignor import shard_assignor
from streams.worker.exits import die

KEEPALIVE = 30.0  # seconds; far below any broker_max_poll_interval
ATTENTIVE = 0.05  # seconds a fetch may wait for records while a shard may become ready


class BatchSchema(Schema):
    """Marks a topic whose events are whole batches: `event.value` is a streams.worker.records.Fetched."""

    def compile(self, app: Any, **kwargs: Any) -> Callable[..., Awaitable[Any]]:
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.records, None, message)

        return decode


class BatchMessage(ConsumerMessage):
    """A whole batch; `offset` is that of its last record."""

    __slots__ = ("records",)


class Conductor(_Conductor):
    """Takes the topic lock only when somebody holds it."""

    def _compile_message_handler(self) -> Callable[[Any], Awaitable[Any]]:
        callback_for = self._tp_to_callback.__getitem__
        lock = self._tp_to_callback_lock

        async def on_message(message: Any) -> Any:
            if lock.locked():
                async with lock:
                    callback = callback_for(message.tp)
            else:
                callback = callback_for(message.tp)
            return await callback(message)

        return on_message


class Consumer(driver.Consumer):
    """Yields batches, never commits, and lets the shard host decide where to read."""

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._closed: set[Any] = set()  # partitions of shards that are not open yet

    # -- fetching

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, BatchMessage]]:
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        for tp, fetched in records.items():
            if not fetched:
                continue
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # the rebalance that is under way seeks to what the shards expect
            if tp in self._closed:
                continue  # opening it seeks to what it expects, whatever was fetched before
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                if tp in self.assignment():
                    await self.seek(tp, fetched.start)
                continue
            self.app.shard_host.check(tp.topic, tp.partition, fetched.end)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, _message(tp, fetched, generation)

    async def _wait_next_records(self, timeout: float) -> Any:
        if self._closed and self.flow_active:
            await self._begin_opened()
            timeout = min(timeout, ATTENTIVE)
        if self.flow_active and not self.app.client_only and not self._get_active_partitions():
            await asyncio.sleep(0.01)  # stock waits a whole second when every partition's queue is full
            return {}, self._active_partitions
        return await super()._wait_next_records(timeout)

    @Service.task
    async def _poll_keepalive(self) -> None:
        """aiokafka leaves the group for ever when nobody polls for max_poll_interval; full queues are not absence."""
        while not self.should_stop:
            await self.sleep(KEEPALIVE)
            consumer = self._thread._consumer
            if consumer is not None:
                with consumer._fetcher._subscriptions.fetch_context():
                    pass

    # -- offsets belong to the shards' transactions

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        return

    def _new_offset(self, tp: Any) -> None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()

    async def _commit(self, offsets: Any) -> bool:
        return True

    async def perform_seek(self) -> None:
        """Seek every assigned partition to the position its shard expects next; pause those of shards that restore."""
        self._closed = set()
        for tp in self.assignment():
            position = self.app.shard_host.position(tp.topic, tp.partition)
            if position is None:
                self._closed.add(tp)
                self.pause_partitions({tp})
            else:
                await self._seek_to(tp, position)

    async def _begin_opened(self) -> None:
        """Read the partitions of shards that have become ready."""
        generation = self.app.consumer_generation_id
        for tp in list(self._closed):
            position = self.app.shard_host.position(tp.topic, tp.partition)
            if position is None:
                continue
            try:
                await self._seek_to(tp, position)
            except IllegalStateError:
                return  # no longer ours
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # the rebalance that came meanwhile seeks to what the shards expect
            self._closed.discard(tp)
            self.resume_partitions({tp})

    async def _seek_to(self, tp: Any, position: int) -> None:
        await self._thread.seek_wait({driver.ensure_aiokafka_TP(tp): position})
        self._read_offset[TP(tp.topic, tp.partition)] = position or None

    # -- rebalancing

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        try:
            await super().on_partitions_revoked(revoked)  # waits until no batch is being processed
            await self.app.shard_host.revoked({tp.partition for tp in revoked})
        except Exception:  # noqa: BLE001 a shard that could not be closed cleanly must not live on
            die(f"revoking {sorted(revoked)} failed:\n{traceback.format_exc()}")

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        try:
            await self.app.shard_host.assigned({tp.partition for tp in assigned}, generation_id)
        except Exception:  # noqa: BLE001 a shard that could not be opened must not be worked
            die(f"opening {sorted(assigned)} failed:\n{traceback.format_exc()}")
        await super().on_partitions_assigned(assigned, generation_id)


def _message(tp: Any, fetched: Any, generation: int) -> BatchMessage:
    message = BatchMessage(
        tp.topic, tp.partition, fetched.next - 1, 0.0, 0,
        None, None, None, None, 0, 0, tp, generation_id=generation,
    )  # fmt: skip
    message.records = fetched
    return message


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Builds the consumer with what Faust hard-codes otherwise: isolation, fetch sizes, our assignor."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        conf, fetch = self.app.conf, self.app.shard_fetch
        records.install()
        fetching.install()
        self._assignor = shard_assignor(conf.consumer_group_instance_id or "")
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id or None,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # never relied on: a jump is noticed by the shard, which stops
            isolation_level="read_committed",
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            max_partition_fetch_bytes=fetch.partition_bytes,
            fetch_max_wait_ms=fetch.max_wait_ms,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )


class Transport(driver.Transport):
    """Registered as entry point `sluice` of `faust.transports`."""

    Consumer = Consumer
    Conductor = Conductor
