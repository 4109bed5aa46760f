// Written by scripts/event-map.mjs from catalogue/. Do not edit.
// What `data` of every event type holds, as far as the catalogue's examples show it: each member may be absent, and
// there may be more of them. Must never be narrowed by hand: the catalogue is where shapes are decided.

/** The payload of an event: the object as it is now and, except on creation, the old values of what changed. */
export interface EventData<Subject> {
  readonly object: Subject;
  readonly previous_attributes?: Partial<Subject>;
}

/** Event types to their `data`. */
export interface EventMap {
  /** An approval was given. */
  readonly "approval.approved": EventData<Approval>;
  /** An approval was refused. */
  readonly "approval.rejected": EventData<Approval>;
  /** Somebody was asked to approve a document. */
  readonly "approval.requested": EventData<Approval>;
  /** A backup finished. */
  readonly "backup.completed": EventData<Backup>;
  /** A supplier's bill was approved for payment. */
  readonly "bill.approved": EventData<Bill>;
  /** A supplier's bill was entered. */
  readonly "bill.created": EventData<Bill>;
  /** A supplier's bill was paid in full. */
  readonly "bill.paid": EventData<Bill>;
  /** A supplier's bill was received and is open. */
  readonly "bill.received": EventData<Bill>;
  /** A branch was added. */
  readonly "branch.created": EventData<Branch>;
  /** A branch was changed. */
  readonly "branch.updated": EventData<Branch>;
  /** A company was added. */
  readonly "company.created": EventData<Company>;
  /** A company's details were changed. */
  readonly "company.updated": EventData<Company>;
  /** A customer was added. */
  readonly "customer.created": EventData<Customer>;
  /** A customer owes more than the credit limit allows. */
  readonly "customer.credit_limit_exceeded": EventData<Customer>;
  /** A customer was deleted. */
  readonly "customer.deleted": EventData<Customer>;
  /** A customer was put on hold, made inactive or active again. */
  readonly "customer.status_changed": EventData<Customer>;
  /** The details of a customer changed. */
  readonly "customer.updated": EventData<Customer>;
  /** A receiver took deliveries, and rules of the webhook took values out of what it answered. */
  readonly "delivery.acknowledged": EventData<Delivery>;
  /** Deliveries to a webhook are not tried by themselves any more. */
  readonly "delivery.dead_lettered": EventData<Delivery>;
  /** Deliveries have not arrived, and most of their webhook's expireAfter is over. */
  readonly "delivery.expiring": EventData<Delivery>;
  /** Deliveries that were dead letters have arrived after a retry. */
  readonly "delivery.recovered": EventData<Delivery>;
  /** The tax authority accepted an e-invoice. */
  readonly "einvoice.accepted": EventData<Einvoice>;
  /** An accepted e-invoice was cancelled at the tax authority. */
  readonly "einvoice.cancelled": EventData<Einvoice>;
  /** An e-invoice document was generated from an invoice. */
  readonly "einvoice.created": EventData<Einvoice>;
  /** The tax authority or the buyer rejected an e-invoice. */
  readonly "einvoice.rejected": EventData<Einvoice>;
  /** An e-invoice was handed to the tax authority. */
  readonly "einvoice.submitted": EventData<Einvoice>;
  /** An e-invoice passed the checks before submission. */
  readonly "einvoice.validated": EventData<Einvoice>;
  /** An employee was added. */
  readonly "employee.created": EventData<Employee>;
  /** An employee's record was changed. */
  readonly "employee.updated": EventData<Employee>;
  /** An expense was approved. */
  readonly "expense.approved": EventData<Expense>;
  /** An expense was submitted. */
  readonly "expense.created": EventData<Expense>;
  /** A sync with another system finished. */
  readonly "integration.sync_completed": EventData<Integration>;
  /** A sync with another system failed. */
  readonly "integration.sync_failed": EventData<Integration>;
  /** A stock adjustment was posted. */
  readonly "inventory.adjustment": EventData<Adjustment>;
  /** An item is running low. */
  readonly "inventory.low_stock": EventData<Item>;
  /** An item cannot be sold any more: none is available. */
  readonly "inventory.out_of_stock": EventData<Item>;
  /** Stock was moved from one location to another. */
  readonly "inventory.transfer": EventData<Transfer>;
  /** The stock settings of an item changed. */
  readonly "inventory.updated": EventData<Item>;
  /** A sales invoice was cancelled. */
  readonly "invoice.cancelled": EventData<Invoice>;
  /** A sales invoice was created. */
  readonly "invoice.created": EventData<Invoice>;
  /** A sales invoice passed its due date unpaid. */
  readonly "invoice.overdue": EventData<Invoice>;
  /** A sales invoice was paid in full. */
  readonly "invoice.paid": EventData<Invoice>;
  /** A sales invoice was paid in part. */
  readonly "invoice.partially_paid": EventData<Invoice>;
  /** A sales invoice was sent to the customer. */
  readonly "invoice.sent": EventData<Invoice>;
  /** The content of a sales invoice changed. */
  readonly "invoice.updated": EventData<Invoice>;
  /** The customer opened a sales invoice online. */
  readonly "invoice.viewed": EventData<Invoice>;
  /** Deliveries could not be made and hold their keys: what comes behind them waits until somebody decides. */
  readonly "key.parked": EventData<Delivery>;
  /** Somebody dealt with what held keys; `reason` says how: retried, corrected, skipped or cancelled. */
  readonly "key.released": EventData<Delivery>;
  /** A location was added. */
  readonly "location.created": EventData<Location>;
  /** A location was changed. */
  readonly "location.updated": EventData<Location>;
  /** Somebody joined the loyalty programme. */
  readonly "member.created": EventData<Member>;
  /** A member moved to another tier. */
  readonly "member.tier.changed": EventData<Member>;
  /** The details of a member changed. */
  readonly "member.updated": EventData<Member>;
  /** A module or source that had fallen silent sends events again. */
  readonly "module.resumed": EventData<Module>;
  /** A module or source sends nothing in hours in which it always sent much. */
  readonly "module.silent": EventData<Module>;
  /** A payment was matched to an invoice. */
  readonly "payment.matched": EventData<Payment>;
  /** A payment came in from a customer. */
  readonly "payment.received": EventData<Payment>;
  /** A payment was paid back to the customer, in full or in part. */
  readonly "payment.refunded": EventData<Payment>;
  /** A payment was taken off the invoice it was matched to. */
  readonly "payment.unmatched": EventData<Payment>;
  /** A member earned points. */
  readonly "points.earned": EventData<PointsTransaction>;
  /** Some of a member's points will expire soon. */
  readonly "points.expiring": EventData<PointsTransaction>;
  /** A member spent points. */
  readonly "points.redeemed": EventData<PointsTransaction>;
  /** The master data of an item changed. */
  readonly "product.updated": EventData<Item>;
  /** A purchase order was approved. */
  readonly "purchase_order.approved": EventData<PurchaseOrder>;
  /** A purchase order was cancelled. */
  readonly "purchase_order.cancelled": EventData<PurchaseOrder>;
  /** The supplier confirmed a purchase order. */
  readonly "purchase_order.confirmed": EventData<PurchaseOrder>;
  /** A purchase order was created. */
  readonly "purchase_order.created": EventData<PurchaseOrder>;
  /** The supplier's bill for a purchase order was recorded. */
  readonly "purchase_order.invoiced": EventData<PurchaseOrder>;
  /** Goods of a purchase order arrived. */
  readonly "purchase_order.received": EventData<PurchaseOrder>;
  /** A purchase order was sent to the supplier. */
  readonly "purchase_order.sent": EventData<PurchaseOrder>;
  /** A report is ready. */
  readonly "report.generated": EventData<Report>;
  /** A purchase requisition was approved. */
  readonly "requisition.approved": EventData<Requisition>;
  /** A purchase requisition was submitted. */
  readonly "requisition.created": EventData<Requisition>;
  /** A return was checked in and settled. */
  readonly "return.processed": EventData<SalesReturn>;
  /** A member claimed a reward. */
  readonly "reward.claimed": EventData<RewardClaim>;
  /** A sale at the counter was paid. */
  readonly "sale.completed": EventData<Sale>;
  /** A sales order was cancelled. */
  readonly "sales_order.cancelled": EventData<SalesOrder>;
  /** A sales order was confirmed. */
  readonly "sales_order.confirmed": EventData<SalesOrder>;
  /** A sales order was created. */
  readonly "sales_order.created": EventData<SalesOrder>;
  /** The goods of a sales order reached the customer. */
  readonly "sales_order.delivered": EventData<SalesOrder>;
  /** The goods of a sales order left the warehouse. */
  readonly "sales_order.shipped": EventData<SalesOrder>;
  /** The content of a sales order changed. */
  readonly "sales_order.updated": EventData<SalesOrder>;
  /** A cashier closed a shift. */
  readonly "shift.closed": EventData<Shift>;
  /** The quantity of an item changed. */
  readonly "stock.updated": EventData<Item>;
  /** A supplier was added. */
  readonly "supplier.created": EventData<Supplier>;
  /** The details of a supplier changed. */
  readonly "supplier.updated": EventData<Supplier>;
  /** A user was added. */
  readonly "user.created": EventData<User>;
  /** A user may no longer sign in. */
  readonly "user.deactivated": EventData<User>;
  /** A user signed in. */
  readonly "user.login": EventData<User>;
  /** A user signed out. */
  readonly "user.logout": EventData<User>;
  /** A user's password was changed. */
  readonly "user.password_changed": EventData<User>;
  /** A user was changed. */
  readonly "user.updated": EventData<User>;
  /** The certificate of a webhook's receiver runs out soon. */
  readonly "webhook.certificate_expiring": EventData<Webhook>;
  /** A webhook will be switched off if its receiver goes on failing. */
  readonly "webhook.disable_announced": EventData<Webhook>;
  /** A webhook was switched off: events are not matched for it any more. */
  readonly "webhook.disabled": EventData<Webhook>;
  /** The receiver of a webhook is in trouble, or works again. */
  readonly "webhook.health_changed": EventData<Webhook>;
  /** A document went from one status of its process to another. */
  readonly "workflow.transitioned": EventData<Workflow>;
}

export interface Adjustment {
  readonly id?: string;
  readonly adjustmentNumber?: string;
  readonly date?: string;
  readonly type?: string;
  readonly reason?: string;
  readonly status?: string;
  readonly locationId?: string;
  readonly location?: AdjustmentLocation;
  readonly reference?: string;
  readonly notes?: string;
  readonly items?: readonly AdjustmentItem[];
  readonly totalValue?: number;
  readonly createdBy?: string;
  readonly createdAt?: string;
  readonly postedAt?: string | null;
}

export interface AdjustmentItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly itemName?: string;
  readonly currentStock?: number;
  readonly adjustedStock?: number;
  readonly adjustmentQuantity?: number;
  readonly unitCost?: number;
  readonly totalCost?: number;
  readonly reason?: string;
  readonly notes?: string;
}

export interface AdjustmentLocation {
  readonly id?: string;
  readonly name?: string;
}

export interface Approval {
  readonly id?: string;
  readonly process?: string;
  readonly step?: string;
  readonly from?: string;
  readonly to?: string | null;
  readonly actor?: ApprovalActor | null;
  readonly requestedFrom?: ApprovalRequestedFrom;
  readonly resolution?: string | null;
  readonly comment?: string | null;
  readonly document?: ApprovalDocument;
  readonly dueAt?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface ApprovalActor {
  readonly userId?: string;
  readonly employeeId?: string;
}

export interface ApprovalDocument {
  readonly type?: string;
  readonly id?: string;
  readonly reference?: string;
  readonly total?: number;
  readonly currency?: string;
}

export interface ApprovalRequestedFrom {
  readonly userId?: string;
  readonly employeeId?: string;
}

export interface Backup {
  readonly id?: string;
  readonly type?: string;
  readonly scope?: readonly string[];
  readonly status?: string;
  readonly startedAt?: string;
  readonly completedAt?: string | null;
  readonly durationSeconds?: number | null;
  readonly sizeBytes?: number | null;
  readonly storageRegion?: string;
  readonly encrypted?: boolean;
  readonly verified?: boolean;
  readonly retainedUntil?: string | null;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface Bill {
  readonly id?: string;
  readonly billNumber?: string;
  readonly supplierInvoiceNumber?: string;
  readonly supplierId?: string;
  readonly supplier?: BillSupplier;
  readonly purchaseOrderId?: string;
  readonly billDate?: string;
  readonly dueDate?: string;
  readonly status?: string;
  readonly currency?: string;
  readonly subtotal?: number;
  readonly taxTotal?: number;
  readonly total?: number;
  readonly paidAmount?: number;
  readonly balanceDue?: number;
  readonly items?: readonly BillItem[];
  readonly attachments?: readonly BillAttachment[];
  readonly paymentTerms?: string;
  readonly notes?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface BillAttachment {
  readonly id?: string;
  readonly filename?: string;
  readonly url?: string;
  readonly uploadedAt?: string;
}

export interface BillItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unitPrice?: number;
  readonly lineTotal?: number;
  readonly taxCode?: string;
  readonly taxRate?: number;
  readonly taxAmount?: number;
  readonly accountCode?: string;
}

export interface BillSupplier {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
}

export interface Branch {
  readonly id?: string;
  readonly companyId?: string;
  readonly code?: string;
  readonly name?: string;
  readonly status?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface Company {
  readonly id?: string;
  readonly name?: string;
  readonly registrationNumber?: string;
  readonly currency?: string;
  readonly status?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface Customer {
  readonly id?: string;
  readonly customerNumber?: string;
  readonly name?: string;
  readonly type?: string;
  readonly email?: string;
  readonly phone?: string;
  readonly website?: string;
  readonly taxNumber?: string;
  readonly address?: CustomerAddress;
  readonly billingAddress?: CustomerBillingAddress;
  readonly shippingAddress?: CustomerShippingAddress;
  readonly currency?: string;
  readonly paymentTerms?: number;
  readonly creditLimit?: number;
  readonly currentBalance?: number;
  readonly totalSales?: number;
  readonly lastSaleDate?: string | null;
  readonly status?: string;
  readonly tags?: readonly string[];
  readonly customFields?: CustomerCustomFields;
  readonly contacts?: readonly CustomerContact[];
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface CustomerAddress {
  readonly street?: string;
  readonly street2?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface CustomerBillingAddress {
  readonly street?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface CustomerContact {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
  readonly phone?: string;
  readonly title?: string;
  readonly isPrimary?: boolean;
}

export interface CustomerCustomFields {
  readonly industry?: string;
  readonly salesTeam?: string;
}

export interface CustomerShippingAddress {
  readonly street?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface Delivery {
  readonly id?: string;
  readonly webhookId?: string;
  readonly webhookName?: string;
  readonly count?: number;
  readonly deliveries?: readonly DeliveryDelivery[];
  readonly nextStep?: string;
  readonly firstExpiresAt?: string;
}

export interface DeliveryDelivery {
  readonly id?: string;
  readonly eventId?: string;
  readonly event?: string;
  readonly reference?: string;
  readonly extracted?: DeliveryDeliveryExtracted;
  readonly reason?: string | null;
  readonly expiresAt?: string;
  readonly orderingKey?: string;
}

export interface DeliveryDeliveryExtracted {
  readonly externalId?: string;
}

export interface Einvoice {
  readonly id?: string;
  readonly invoiceId?: string;
  readonly format?: string;
  readonly status?: string;
  readonly submissionType?: string;
  readonly uuid?: string;
  readonly submissionId?: string | null;
  readonly validationHash?: string | null;
  readonly qrCode?: string | null;
  readonly digitalSignature?: EinvoiceDigitalSignature | null;
  readonly government?: EinvoiceGovernment;
  readonly validation?: EinvoiceValidation | null;
  readonly document?: EinvoiceDocument;
  readonly compliance?: EinvoiceCompliance;
  readonly timeline?: readonly EinvoiceTimeline[];
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface EinvoiceCompliance {
  readonly standard?: string;
  readonly profile?: string;
  readonly customization?: string;
}

export interface EinvoiceDigitalSignature {
  readonly algorithm?: string;
  readonly certificate?: string;
  readonly timestamp?: string;
}

export interface EinvoiceDocument {
  readonly xml?: string;
  readonly pdf?: string | null;
  readonly json?: string;
}

export interface EinvoiceGovernment {
  readonly portal?: string;
  readonly taxpayerId?: string;
  readonly submissionId?: string | null;
  readonly longId?: string | null;
  readonly validationTime?: string | null;
  readonly acceptanceTime?: string | null;
}

export interface EinvoiceTimeline {
  readonly status?: string;
  readonly timestamp?: string;
  readonly notes?: string;
}

export interface EinvoiceValidation {
  readonly isValid?: boolean;
  readonly validatedAt?: string;
  readonly errors?: readonly EinvoiceValidationError[];
  readonly warnings?: readonly EinvoiceValidationWarning[];
}

export interface EinvoiceValidationError {
  readonly code?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface EinvoiceValidationWarning {
  readonly code?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface Employee {
  readonly id?: string;
  readonly employeeNumber?: string;
  readonly name?: string;
  readonly userId?: string;
  readonly companyId?: string;
  readonly branchId?: string;
  readonly departments?: readonly string[];
  readonly teams?: readonly string[];
  readonly position?: string;
  readonly status?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface Expense {
  readonly id?: string;
  readonly expenseNumber?: string;
  readonly employeeId?: string;
  readonly employee?: ExpenseEmployee;
  readonly expenseDate?: string;
  readonly category?: string;
  readonly costCentre?: string;
  readonly description?: string;
  readonly currency?: string;
  readonly items?: readonly ExpenseItem[];
  readonly subtotal?: number;
  readonly taxTotal?: number;
  readonly total?: number;
  readonly status?: string;
  readonly approvals?: readonly ExpenseApproval[];
  readonly attachments?: readonly ExpenseAttachment[];
  readonly createdBy?: string;
  readonly approvedBy?: string | null;
  readonly approvedAt?: string | null;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface ExpenseApproval {
  readonly step?: string;
  readonly approvedBy?: string;
  readonly approvedAt?: string;
  readonly notes?: unknown;
}

export interface ExpenseAttachment {
  readonly id?: string;
  readonly filename?: string;
  readonly url?: string;
}

export interface ExpenseEmployee {
  readonly id?: string;
  readonly employeeNumber?: string;
  readonly department?: string;
}

export interface ExpenseItem {
  readonly id?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unitPrice?: number;
  readonly lineTotal?: number;
  readonly taxCode?: string | null;
  readonly taxRate?: number;
  readonly taxAmount?: number;
}

export interface Integration {
  readonly id?: string;
  readonly name?: string;
  readonly provider?: string;
  readonly type?: string;
  readonly direction?: string;
  readonly status?: string;
  readonly sync?: IntegrationSync;
  readonly lastSuccessAt?: string;
  readonly nextSyncAt?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface IntegrationSync {
  readonly id?: string;
  readonly trigger?: string;
  readonly entities?: readonly string[];
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly durationSeconds?: number;
  readonly recordsRead?: number;
  readonly recordsCreated?: number;
  readonly recordsUpdated?: number;
  readonly recordsFailed?: number;
  readonly errors?: readonly IntegrationSyncError[];
}

export interface IntegrationSyncError {
  readonly record?: string | null;
  readonly code?: string;
  readonly message?: string;
}

export interface Invoice {
  readonly id?: string;
  readonly invoiceNumber?: string;
  readonly customerId?: string;
  readonly customer?: InvoiceCustomer;
  readonly invoiceDate?: string;
  readonly dueDate?: string;
  readonly status?: string;
  readonly currency?: string;
  readonly exchangeRate?: number;
  readonly reference?: string;
  readonly purchaseOrder?: string;
  readonly notes?: string;
  readonly terms?: string;
  readonly items?: readonly InvoiceItem[];
  readonly subtotal?: number;
  readonly totalDiscount?: number;
  readonly totalTax?: number;
  readonly shippingCost?: number;
  readonly total?: number;
  readonly amountPaid?: number;
  readonly amountDue?: number;
  readonly paymentStatus?: string;
  readonly lastPaymentDate?: string | null;
  readonly overdueBy?: number;
  readonly billingAddress?: InvoiceBillingAddress;
  readonly attachments?: readonly unknown[];
  readonly einvoice?: InvoiceEinvoice;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface InvoiceBillingAddress {
  readonly street?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface InvoiceCustomer {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
}

export interface InvoiceEinvoice {
  readonly status?: string;
  readonly submittedAt?: unknown;
  readonly acceptedAt?: unknown;
  readonly uuid?: unknown;
  readonly validationHash?: unknown;
}

export interface InvoiceItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unitPrice?: number;
  readonly discountPercent?: number;
  readonly discountAmount?: number;
  readonly lineTotal?: number;
  readonly taxCode?: string;
  readonly taxRate?: number;
  readonly taxAmount?: number;
}

export interface Item {
  readonly id?: string;
  readonly itemCode?: string;
  readonly barcode?: string;
  readonly name?: string;
  readonly description?: string;
  readonly category?: ItemCategory;
  readonly type?: string;
  readonly unit?: string;
  readonly weight?: number;
  readonly dimensions?: ItemDimensions;
  readonly pricing?: ItemPricing;
  readonly inventory?: ItemInventory;
  readonly supplier?: ItemSupplier;
  readonly accounting?: ItemAccounting;
  readonly tax?: ItemTax;
  readonly locations?: readonly ItemLocation[];
  readonly variants?: readonly ItemVariant[];
  readonly customFields?: ItemCustomFields;
  readonly images?: readonly ItemImage[];
  readonly isActive?: boolean;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface ItemAccounting {
  readonly incomeAccountId?: string;
  readonly expenseAccountId?: string;
  readonly assetAccountId?: string;
}

export interface ItemCategory {
  readonly id?: string;
  readonly name?: string;
  readonly path?: string;
}

export interface ItemCustomFields {
  readonly warranty?: string;
  readonly origin?: string;
}

export interface ItemDimensions {
  readonly length?: number;
  readonly width?: number;
  readonly height?: number;
  readonly unit?: string;
}

export interface ItemImage {
  readonly id?: string;
  readonly url?: string;
  readonly isPrimary?: boolean;
}

export interface ItemInventory {
  readonly tracked?: boolean;
  readonly currentStock?: number;
  readonly availableStock?: number;
  readonly reservedStock?: number;
  readonly minimumStock?: number;
  readonly maximumStock?: number;
  readonly reorderPoint?: number;
  readonly reorderQuantity?: number;
}

export interface ItemLocation {
  readonly locationId?: string;
  readonly stock?: number;
  readonly available?: number;
  readonly reserved?: number;
  readonly binLocation?: string;
}

export interface ItemPricing {
  readonly costPrice?: number;
  readonly sellingPrice?: number;
  readonly currency?: string;
  readonly priceGroups?: readonly ItemPricingPriceGroup[];
}

export interface ItemPricingPriceGroup {
  readonly groupId?: string;
  readonly price?: number;
}

export interface ItemSupplier {
  readonly id?: string;
  readonly name?: string;
  readonly supplierItemCode?: string;
  readonly leadTimeDays?: number;
}

export interface ItemTax {
  readonly salesTaxCode?: string;
  readonly purchaseTaxCode?: string;
  readonly taxable?: boolean;
}

export interface ItemVariant {
  readonly id?: string;
  readonly name?: string;
  readonly attributes?: ItemVariantAttributes;
  readonly itemCode?: string;
  readonly barcode?: string;
  readonly stock?: number;
}

export interface ItemVariantAttributes {
  readonly color?: string;
}

export interface Location {
  readonly id?: string;
  readonly branchId?: string;
  readonly code?: string;
  readonly name?: string;
  readonly kind?: string;
  readonly status?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface Member {
  readonly id?: string;
  readonly memberNumber?: string;
  readonly customerId?: unknown;
  readonly name?: string;
  readonly email?: string;
  readonly phone?: string;
  readonly birthMonth?: number;
  readonly tier?: string;
  readonly tierSince?: string;
  readonly points?: MemberPoints;
  readonly totalSpend?: number;
  readonly visitCount?: number;
  readonly homeBranchId?: string;
  readonly marketingConsent?: boolean;
  readonly status?: string;
  readonly tags?: readonly string[];
  readonly joinedDate?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface MemberPoints {
  readonly balance?: number;
  readonly lifetime?: number;
  readonly expiringSoon?: number;
}

export interface Module {
  readonly id?: string;
  readonly name?: string;
  readonly kind?: string;
  readonly lastEventAt?: string;
  readonly livemode?: boolean;
  readonly silentSince?: string;
  readonly usualPerHour?: number;
  readonly nextStep?: string;
}

export interface Payment {
  readonly id?: string;
  readonly paymentNumber?: string;
  readonly customerId?: string;
  readonly invoiceId?: string | null;
  readonly orderId?: string | null;
  readonly paymentDate?: string;
  readonly method?: string;
  readonly reference?: string;
  readonly bank?: string;
  readonly depositAccountId?: string;
  readonly currency?: string;
  readonly exchangeRate?: number;
  readonly amount?: number;
  readonly amountMatched?: number;
  readonly amountUnmatched?: number;
  readonly amountRefunded?: number;
  readonly allocations?: readonly PaymentAllocation[];
  readonly status?: string;
  readonly notes?: string | null;
  readonly createdBy?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
  readonly order?: SalesOrder;
  readonly invoice?: Invoice;
  readonly customer?: Customer;
}

export interface PaymentAllocation {
  readonly invoiceId?: string;
  readonly invoiceNumber?: string;
  readonly amount?: number;
}

export interface PointsTransaction {
  readonly id?: string;
  readonly transactionNumber?: string;
  readonly type?: string;
  readonly amount?: number;
  readonly balanceAfter?: number;
  readonly memberId?: string;
  readonly member?: PointsTransactionMember;
  readonly saleId?: string | null;
  readonly sale?: PointsTransactionSale | null;
  readonly rewardClaimId?: string | null;
  readonly rule?: string | null;
  readonly branchId?: string;
  readonly expiresAt?: string | null;
  readonly createdAt?: string;
}

export interface PointsTransactionMember {
  readonly id?: string;
  readonly memberNumber?: string;
  readonly name?: string;
  readonly tier?: string;
}

export interface PointsTransactionSale {
  readonly id?: string;
  readonly receiptNumber?: string;
  readonly total?: number;
}

export interface PurchaseOrder {
  readonly id?: string;
  readonly poNumber?: string;
  readonly supplierId?: string;
  readonly supplier?: PurchaseOrderSupplier;
  readonly orderDate?: string;
  readonly requiredDate?: string;
  readonly status?: string;
  readonly currency?: string;
  readonly exchangeRate?: number;
  readonly subtotal?: number;
  readonly taxTotal?: number;
  readonly discountTotal?: number;
  readonly total?: number;
  readonly items?: readonly PurchaseOrderItem[];
  readonly deliveryAddress?: PurchaseOrderDeliveryAddress;
  readonly terms?: string;
  readonly notes?: string;
  readonly createdBy?: string;
  readonly approvedBy?: string | null;
  readonly approvedAt?: string | null;
  readonly sentAt?: string | null;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface PurchaseOrderDeliveryAddress {
  readonly contactName?: string;
  readonly phone?: string;
  readonly street?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface PurchaseOrderItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unitPrice?: number;
  readonly lineTotal?: number;
  readonly taxCode?: string;
  readonly taxRate?: number;
  readonly taxAmount?: number;
  readonly receivedQuantity?: number;
  readonly expectedDate?: string;
}

export interface PurchaseOrderSupplier {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
}

export interface Report {
  readonly id?: string;
  readonly reportNumber?: string;
  readonly name?: string;
  readonly type?: string;
  readonly format?: string;
  readonly period?: ReportPeriod;
  readonly parameters?: ReportParameters;
  readonly status?: string;
  readonly rowCount?: number | null;
  readonly sizeBytes?: number | null;
  readonly url?: string | null;
  readonly requestedBy?: string;
  readonly createdAt?: string;
  readonly generatedAt?: string | null;
  readonly expiresAt?: string | null;
}

export interface ReportParameters {
  readonly companyIds?: readonly string[];
  readonly taxCode?: string;
}

export interface ReportPeriod {
  readonly from?: string;
  readonly to?: string;
}

export interface Requisition {
  readonly id?: string;
  readonly requisitionNumber?: string;
  readonly requestedBy?: string;
  readonly department?: string;
  readonly requiredDate?: string;
  readonly purpose?: string;
  readonly status?: string;
  readonly currency?: string;
  readonly items?: readonly RequisitionItem[];
  readonly estimatedTotal?: number;
  readonly preferredSupplierId?: string;
  readonly purchaseOrderId?: unknown;
  readonly approvals?: readonly RequisitionApproval[];
  readonly approvedBy?: string | null;
  readonly approvedAt?: string | null;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface RequisitionApproval {
  readonly step?: string;
  readonly approvedBy?: string;
  readonly approvedAt?: string;
  readonly notes?: string;
}

export interface RequisitionItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unit?: string;
  readonly estimatedUnitPrice?: number;
  readonly estimatedTotal?: number;
}

export interface RewardClaim {
  readonly id?: string;
  readonly claimNumber?: string;
  readonly rewardCode?: string;
  readonly name?: string;
  readonly type?: string;
  readonly pointsCost?: number;
  readonly value?: number;
  readonly currency?: string;
  readonly voucherNumber?: string;
  readonly memberId?: string;
  readonly member?: RewardClaimMember;
  readonly branchId?: string;
  readonly status?: string;
  readonly validFrom?: string;
  readonly validUntil?: string;
  readonly claimedAt?: string;
  readonly createdAt?: string;
}

export interface RewardClaimMember {
  readonly id?: string;
  readonly memberNumber?: string;
  readonly name?: string;
  readonly tier?: string;
}

export interface Sale {
  readonly id?: string;
  readonly receiptNumber?: string;
  readonly saleDate?: string;
  readonly status?: string;
  readonly branchId?: string;
  readonly branch?: SaleBranch;
  readonly locationId?: string;
  readonly terminalId?: string;
  readonly shiftId?: string;
  readonly cashierId?: string;
  readonly customerId?: unknown;
  readonly member?: SaleMember;
  readonly currency?: string;
  readonly items?: readonly SaleItem[];
  readonly subtotal?: number;
  readonly totalDiscount?: number;
  readonly totalTax?: number;
  readonly rounding?: number;
  readonly total?: number;
  readonly payments?: readonly SalePayment[];
  readonly pointsEarned?: number;
  readonly createdAt?: string;
  readonly completedAt?: string | null;
}

export interface SaleBranch {
  readonly id?: string;
  readonly name?: string;
}

export interface SaleItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unitPrice?: number;
  readonly discountPercent?: number;
  readonly discountAmount?: number;
  readonly lineTotal?: number;
  readonly taxCode?: string;
  readonly taxRate?: number;
  readonly taxAmount?: number;
}

export interface SaleMember {
  readonly id?: string;
  readonly memberNumber?: string;
  readonly name?: string;
  readonly tier?: string;
}

export interface SalePayment {
  readonly method?: string;
  readonly amount?: number;
  readonly tendered?: number;
  readonly changeDue?: number;
}

export interface SalesOrder {
  readonly id?: string;
  readonly orderNumber?: string;
  readonly customerId?: string;
  readonly customer?: SalesOrderCustomer;
  readonly orderDate?: string;
  readonly requiredDate?: string;
  readonly promisedDate?: string;
  readonly status?: string;
  readonly priority?: string;
  readonly currency?: string;
  readonly exchangeRate?: number;
  readonly reference?: string;
  readonly notes?: string;
  readonly terms?: string;
  readonly billingAddress?: SalesOrderBillingAddress;
  readonly shippingAddress?: SalesOrderShippingAddress;
  readonly items?: readonly SalesOrderItem[];
  readonly subtotal?: number;
  readonly totalDiscount?: number;
  readonly totalTax?: number;
  readonly shippingCost?: number;
  readonly total?: number;
  readonly fulfillment?: SalesOrderFulfillment;
  readonly attachments?: readonly SalesOrderAttachment[];
  readonly createdBy?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface SalesOrderAttachment {
  readonly id?: string;
  readonly filename?: string;
  readonly url?: string;
}

export interface SalesOrderBillingAddress {
  readonly street?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface SalesOrderCustomer {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
}

export interface SalesOrderFulfillment {
  readonly status?: string;
  readonly shippedQuantity?: number;
  readonly remainingQuantity?: number;
  readonly shippingMethod?: string;
  readonly trackingNumber?: string | null;
  readonly estimatedDelivery?: string;
}

export interface SalesOrderItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unitPrice?: number;
  readonly discountPercent?: number;
  readonly discountAmount?: number;
  readonly lineTotal?: number;
  readonly taxCode?: string;
  readonly taxRate?: number;
  readonly taxAmount?: number;
  readonly notes?: string | null;
}

export interface SalesOrderShippingAddress {
  readonly street?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface SalesReturn {
  readonly id?: string;
  readonly returnNumber?: string;
  readonly returnDate?: string;
  readonly type?: string;
  readonly invoiceId?: string;
  readonly orderId?: string;
  readonly customerId?: string;
  readonly customer?: SalesReturnCustomer;
  readonly locationId?: string;
  readonly currency?: string;
  readonly items?: readonly SalesReturnItem[];
  readonly subtotal?: number;
  readonly totalDiscount?: number;
  readonly totalTax?: number;
  readonly total?: number;
  readonly refund?: SalesReturnRefund;
  readonly status?: string;
  readonly processedBy?: string | null;
  readonly processedAt?: string | null;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface SalesReturnCustomer {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
}

export interface SalesReturnItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly description?: string;
  readonly quantity?: number;
  readonly unitPrice?: number;
  readonly discountPercent?: number;
  readonly discountAmount?: number;
  readonly lineTotal?: number;
  readonly taxCode?: string;
  readonly taxRate?: number;
  readonly taxAmount?: number;
  readonly reason?: string;
  readonly condition?: string;
  readonly restock?: boolean;
}

export interface SalesReturnRefund {
  readonly method?: string;
  readonly amount?: number;
  readonly creditNoteNumber?: string;
}

export interface Shift {
  readonly id?: string;
  readonly shiftNumber?: string;
  readonly branchId?: string;
  readonly locationId?: string;
  readonly terminalId?: string;
  readonly cashierId?: string;
  readonly status?: string;
  readonly openedAt?: string;
  readonly closedAt?: string | null;
  readonly currency?: string;
  readonly openingFloat?: number;
  readonly cashSales?: number;
  readonly cardSales?: number;
  readonly ewalletSales?: number;
  readonly cashRefunds?: number;
  readonly cashDrops?: number;
  readonly expectedCash?: number;
  readonly countedCash?: number | null;
  readonly variance?: number | null;
  readonly transactionCount?: number;
  readonly notes?: unknown;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface Supplier {
  readonly id?: string;
  readonly supplierNumber?: string;
  readonly name?: string;
  readonly displayName?: string;
  readonly email?: string;
  readonly phone?: string;
  readonly website?: string;
  readonly taxNumber?: string;
  readonly registrationNumber?: string;
  readonly address?: SupplierAddress;
  readonly paymentTerms?: SupplierPaymentTerms;
  readonly creditLimit?: number;
  readonly currentBalance?: number;
  readonly currency?: string;
  readonly status?: string;
  readonly tags?: readonly string[];
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface SupplierAddress {
  readonly street?: string;
  readonly city?: string;
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export interface SupplierPaymentTerms {
  readonly termsDays?: number;
  readonly discountDays?: number;
  readonly discountPercent?: number;
}

export interface Transfer {
  readonly id?: string;
  readonly transferNumber?: string;
  readonly date?: string;
  readonly status?: string;
  readonly fromLocationId?: string;
  readonly fromLocation?: TransferFromLocation;
  readonly toLocationId?: string;
  readonly toLocation?: TransferToLocation;
  readonly reference?: string;
  readonly notes?: string;
  readonly items?: readonly TransferItem[];
  readonly shipping?: TransferShipping;
  readonly totalValue?: number;
  readonly approvals?: readonly TransferApproval[];
  readonly createdBy?: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface TransferApproval {
  readonly step?: string;
  readonly approvedBy?: string;
  readonly approvedAt?: string;
  readonly notes?: string;
}

export interface TransferFromLocation {
  readonly id?: string;
  readonly name?: string;
}

export interface TransferItem {
  readonly id?: string;
  readonly itemId?: string;
  readonly itemCode?: string;
  readonly itemName?: string;
  readonly quantityRequested?: number;
  readonly quantityShipped?: number;
  readonly quantityReceived?: number;
  readonly unitCost?: number;
  readonly totalCost?: number;
  readonly notes?: unknown;
}

export interface TransferShipping {
  readonly method?: string;
  readonly trackingNumber?: string;
  readonly shippedAt?: string;
  readonly estimatedDelivery?: string;
  readonly actualDelivery?: string;
}

export interface TransferToLocation {
  readonly id?: string;
  readonly name?: string;
}

export interface User {
  readonly id?: string;
  readonly employeeNumber?: string;
  readonly username?: string;
  readonly displayName?: string;
  readonly email?: string;
  readonly employeeId?: string;
  readonly department?: string;
  readonly roles?: readonly string[];
  readonly companyIds?: readonly string[];
  readonly branchIds?: readonly string[];
  readonly locale?: string;
  readonly twoFactorEnabled?: boolean;
  readonly status?: string;
  readonly lastLoginAt?: string | null;
  readonly lastLogoutAt?: string | null;
  readonly passwordChangedAt?: string | null;
  readonly deactivatedAt?: string | null;
  readonly createdAt?: string;
  readonly updatedAt?: string;
}

export interface Webhook {
  readonly id?: string;
  readonly name?: string;
  readonly host?: string;
  readonly livemode?: boolean;
  readonly status?: string;
  readonly certificateExpiresAt?: string;
  readonly nextStep?: string;
  readonly failingSince?: string;
  readonly percent?: number;
  readonly disablesAt?: string;
  readonly reason?: string;
  readonly disabledReason?: string;
  readonly health?: string;
  readonly score?: number;
  readonly nextProbeAt?: string;
}

export interface Workflow {
  readonly id?: string;
  readonly process?: string;
  readonly from?: string;
  readonly to?: string;
  readonly actor?: WorkflowActor;
  readonly resolution?: string | null;
  readonly comment?: string;
  readonly document?: WorkflowDocument;
  readonly startedAt?: string;
  readonly updatedAt?: string;
}

export interface WorkflowActor {
  readonly userId?: string;
  readonly employeeId?: string;
}

export interface WorkflowDocument {
  readonly type?: string;
  readonly id?: string;
  readonly reference?: string;
  readonly total?: number;
  readonly currency?: string;
}
